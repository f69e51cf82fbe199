"""`ddc encode`: images that somebody else distilled become one small file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.making.outputs import Outputs
from ddcodec.cli.making.summary import run_summary
from ddcodec.cli.making.watching import Watch
from ddcodec.cli.shared.console import print_facts, waiting
from ddcodec.cli.shared.loading import say_what_was_read
from ddcodec.cli.shared.options import (
    PATH,
    Size,
    check_device,
    device_option,
    force_option,
)
from ddcodec.cli.shared.run_options import (
    PARAMETERIZATIONS,
    budget_option,
    default_file_name,
    fit_steps_option,
    names_option,
    output_option,
    resume_option,
    seed_option,
    share_option,
    synthesis_option,
    time_option,
)

if TYPE_CHECKING:
    from ddcodec.distill.given_set import EncodedSet


@click.command("encode")
@click.argument("images", type=PATH)
@budget_option(recipe_may_say=False)
@output_option("IMAGES-SIZE.ddc")
@force_option
@click.option(
    "--parameterization", type=click.Choice(PARAMETERIZATIONS), default="latents",
    help="How images are coded: by latents within the budget, or as pixels without loss, if these "
    "fit.",
)  # fmt: skip
@synthesis_option
@share_option
@fit_steps_option("Steps of the fit.")
@time_option("Fit the number of steps to a wall-clock time such as 30m, 90s or 2h.")
@seed_option
@resume_option
@device_option
@names_option
def encode_command(
    images: Path,
    budget: Size,
    output: Path | None,
    force: bool,
    resume: bool,
    **settings: Any,
) -> None:
    """Code all of IMAGES, such as another method's distilled set, in SIZE bytes per class.

    IMAGES is a folder, an archive, a table (their training part), an .npz or a .pt with images and
    labels. Classes may have different numbers of images, one is enough. The similarity that is
    printed is measured on the images that the finished file decodes to.
    """
    from ddcodec.distill.running.checkpoint import checkpoint_path

    path = output or Path(_default_name(images, budget))
    watch = Watch(checkpoint_path(path), resume, None)
    outputs = Outputs(path, None, force, watch)
    with outputs.held():
        check_device(settings["device"])
        encoded = _encode(images, budget, settings, watch)
        outputs.write(encoded.distilled.encoded.data)
        watch.remove_checkpoints()
    print_facts([*run_summary(encoded.distilled, path), ("PSNR", _psnr(encoded))])
    if encoded.distilled.is_below_floor:
        print(
            "The file stays below 97 % of the budget, which is more than these images need; a "
            "smaller budget may well give better images, see PSNR."
        )


def _encode(images: Path, budget: Size, settings: dict[str, Any], watch: Watch) -> EncodedSet:
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.kept.paths import user_path

    recipe = Recipe(budget.num_bytes, loss="none", **settings)
    with waiting(f"Loading {images}."):
        from ddcodec.datasets.given_images import load_given_images
        from ddcodec.distill.given_set import encode_given_images

        given = load_given_images(user_path(images))
    say_what_was_read(given.dataset)
    with watch.supervision(None) as supervision:
        return encode_given_images(given, recipe, supervision)


def _psnr(encoded: EncodedSet) -> str:
    if encoded.psnr == float("inf"):
        return "infinite, the decoded images equal the given ones"
    worst, best = encoded.psnr_range
    return f"{encoded.psnr:.2f} dB, of single images {worst:.2f} to {best:.2f} dB"


def _default_name(images: Path, budget: Size) -> str:
    from ddcodec.datasets.given_images import ARRAY_SUFFIXES
    from ddcodec.datasets.trees.source import source_name

    is_arrays = images.suffix.lower() in ARRAY_SUFFIXES
    name = images.stem if is_arrays else source_name(images)
    return default_file_name(name, budget)
