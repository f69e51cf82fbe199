"""PSNR of real images coded with chosen decoders and context models, in one whole budget.

    python benchmarks/decoders.py cifar10 --data cifar10.tar.xz --bytes 1000 --steps 160 \
        --networks wavelet/8/1/all wavelet-8/16/1/all

The networks that the budget would choose come first, then those that are named: decoder, width and
depth of the context model, and how classes share them. Each codes the same images as a trial of
`ddc distill --synthesis search` does, and is a line of JSON with the CPU seconds it took; the PSNR
of what does not fit the budget is null.
"""

import argparse
import json
import time
from contextlib import suppress
from typing import Any

import torch

from ddcodec.datasets import load_dataset
from ddcodec.distill.distill import checkpoint_settings
from ddcodec.distill.latent_run import distill_latents
from ddcodec.distill.recipe.recipe import NO_LOSS, SEARCH, Recipe
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search.decoder_search import DecoderSearch, psnr_of
from ddcodec.distill.search.space import Networks
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import BudgetError


def networks(text: str) -> Networks:
    """Read networks such as `wavelet-8/16/1/all`."""
    synthesis, width, depth, share = text.split("/")
    return Networks(synthesis, int(width), int(depth), share)


def never(recipe: Recipe) -> tuple[float, int]:
    """Stand for the trials of a search that is not run."""
    raise AssertionError


def main() -> None:
    """Code the images with one decoder after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--data")
    parser.add_argument("--bytes", type=float, required=True, help="per class")
    parser.add_argument("--steps", type=int, default=160, help="of the fit")
    parser.add_argument("--networks", type=networks, nargs="*", default=[])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.dataset, arguments.data)
    part = TrainingPart.of(dataset)
    recipe = Recipe(arguments.bytes, loss=NO_LOSS, synthesis=SEARCH)
    search = DecoderSearch(dataset, part, recipe, never, Supervision())
    for tried in (search.default, *arguments.networks):
        started = time.process_time()
        trial = search.trial_recipe(tried, arguments.steps)
        settings = checkpoint_settings(dataset, trial)
        line: dict[str, Any] = {"networks": str(tried), "psnr": None}
        with suppress(BudgetError):
            made = distill_latents(
                dataset, part, trial, Supervision(), torch.device("cpu"), settings
            )
            line |= {"psnr": round(psnr_of(made), 3), "bytes": made.size_bytes}
        line["cpu_seconds"] = round(time.process_time() - started)
        print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
