"""`ddc distill`: a dataset becomes one small file."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ddcodec.cli.making.distill_options import distill_options
from ddcodec.cli.making.outputs import Outputs
from ddcodec.cli.making.recipes import Request, read_request
from ddcodec.cli.making.summary import below_floor, run_summary, stage_summary
from ddcodec.cli.making.watching import Watch
from ddcodec.cli.shared.console import print_facts, waiting
from ddcodec.cli.shared.group import describe, told_once
from ddcodec.cli.shared.loading import load
from ddcodec.cli.shared.options import (
    Size,
    check_device,
)
from ddcodec.cli.shared.run_options import (
    default_file_name,
)
from ddcodec.errors import OutputError
from ddcodec.ranks import Ranks, joined

if TYPE_CHECKING:
    from ddcodec.distill.recipe.recipe import Recipe
    from ddcodec.distill.record import DatasetOrigin
    from ddcodec.distill.running.distilled import Distilled


@click.command("distill")
@click.argument("dataset", required=False)
@distill_options
def distill_command(
    dataset: str | None,
    data: str | None,
    size: str | None,
    budget: Size | None,
    output: Path | None,
    force: bool,
    recipe: str | None,
    record: bool,
    until: str | None,
    resume: bool,
    log_path: Path | None,
    **settings: Any,
) -> None:
    """Distill DATASET into a file of at most SIZE bytes per class.

    DATASET is glyphs (embedded), cifar10 or another that `ddc datasets` lists, or the path of an
    .npz or of an image folder or archive with train/CLASS/IMAGE; with --data it may be any name. A
    recipe may name it, and all else; options given here win.

    Every minute the run is kept in FILE.checkpoint, until it is done: after Ctrl-C or a crash the
    same command with --resume goes on to the same file. Under torchrun (docs/scaling.md) several
    processes make it together.
    """
    from ddcodec.distill.running.checkpoint import checkpoint_path
    from ddcodec.distill.running.stages import StageEnded

    settings["loss_options"] = dict(settings["loss_options"])
    with told_once():
        request = read_request(click.get_current_context(), recipe, settings)
    path = output or Path(_default_name(request.dataset, request.data, request.budget))
    watch = Watch(checkpoint_path(path), resume, log_path, until)
    outputs = Outputs(path, Path(f"{path}.json") if record else None, force, watch)
    with joined(request.settings["device"], describe, watch.command_again) as ranks:
        with outputs.held() if ranks.is_first else nullcontext():
            check_device(request.settings["device"])
            try:
                origin, asked, distilled = _distill(request, watch, ranks)
            except StageEnded as end:
                print_facts(stage_summary(end))
                return
            if ranks.is_first:
                _write(outputs, origin, asked, distilled)
                watch.remove_checkpoints()
        facts = run_summary(distilled, path)
        print_facts(facts + ([("record", str(outputs.record))] if record else []))
        if distilled.is_below_floor:
            print(below_floor(asked))


def _write(outputs: Outputs, origin: DatasetOrigin, asked: Recipe, distilled: Distilled) -> None:
    """Write the file, and its record if there is a second output."""
    data = distilled.encoded.data
    try:
        outputs.check_record(of=data)
    except OutputError as error:
        raise outputs.with_hint(error) from error
    outputs.write(data)
    if outputs.record is not None:
        from ddcodec.distill.record import record_json

        outputs.write_record(record_json(origin, asked, distilled), of=data)


def _distill(
    request: Request, watch: Watch, ranks: Ranks
) -> tuple[DatasetOrigin, Recipe, Distilled]:
    from ddcodec.distill.recipe.recipe import NO_LOSS

    recipe = request.asked()
    with ranks.first_alone(), waiting(f"Loading {request.dataset}.") as say:
        dataset = load(request.dataset, request.data, request.size, say)
        dataset = dataset.holding_out(recipe.hold_out)
        from ddcodec.datasets.base import has_validation_part
        from ddcodec.distill.distill import distill
        from ddcodec.distill.record import DatasetOrigin, compare
        from ddcodec.evaluation.validation import Validation

    warning = compare(request.recipe, dataset.fingerprint, recipe.device)
    if warning is not None:
        click.echo(warning, err=True)
    validation = None
    if has_validation_part(dataset):
        validation = Validation(dataset, recipe.device, ranks)
    validate = validation if recipe.validate else None
    judge_file = None if validation is None else validation.judge_file
    own_watch = watch if ranks.is_first else replace(watch, log_path=None)
    with own_watch.supervision(validate, judge_file) as supervision:
        supervision = replace(supervision, ranks=ranks)
        if validation is None and recipe.validate and recipe.loss != NO_LOSS:
            supervision.on_notice(_why_not_validated(recipe))
        distilled = distill(dataset, recipe, supervision)
    origin = DatasetOrigin(request.dataset, request.data, dataset.fingerprint, request.size)
    return origin, recipe, distilled


def _why_not_validated(recipe: Recipe) -> str:
    if recipe.hold_out:
        return "No class has a second image to hold back: nothing is validated."
    return "All training images are learned from: nothing is validated."


def _default_name(dataset: str, data: str | None, budget: Size) -> str:
    from ddcodec.datasets import DATASETS
    from ddcodec.datasets.trees.source import source_name
    from ddcodec.kept.paths import user_path

    name = dataset
    if dataset not in DATASETS and data is None:
        name = source_name(user_path(dataset))
    return default_file_name(name, budget)
