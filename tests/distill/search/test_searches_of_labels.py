"""`--labels auto --synthesis search`, interrupted within the search of a later file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.budget import Budget
from ddcodec.cli.making.watching import Watch
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import EncodedFile
from ddcodec.distill.auto_labels import CANDIDATES, distill_auto_labels, label_checkpoint
from ddcodec.distill.rate.allocation import allocate
from ddcodec.distill.recipe.recipe import SEARCH, Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.distill.search import decoder_search
from ddcodec.distill.search.decoder_search import distill_searched
from ddcodec.distill.search.trials import search_path
from ddcodec.distill.trained.training_part import TrainingPart
from ddcodec.errors import RunInterrupted

DATASET = tiny_dataset(per_class=32)
PART = TrainingPart.of(DATASET)
RECIPE = Recipe(
    bytes_per_class=600.0, loss="none", labels="auto", synthesis="search", images_per_class=16,
    teacher="folder",
)  # fmt: skip
FILE = (Path(__file__).parents[2] / "golden" / "colour.ddc").read_bytes()
REAL = decode_bytes(FILE).images

Made = list[str]


@pytest.fixture(autouse=True)
def _few_short_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_search, "TRIALS", 6)
    monkeypatch.setattr(decoder_search, "RUNGS", (5, 9))
    monkeypatch.setattr(decoder_search, "psnr_of", lambda made: 20.0)


def _run(checkpoint: Path, made: Made, most: int | None = None, resume: bool = False) -> None:
    """Make three files, each a search of trials and a file, by stubs; stop after `most` of these.

    What was made is put into `made`: trials as such, files by their labels.
    """

    def distill_one(recipe: Recipe, supervision: Supervision) -> Distilled:
        if recipe.synthesis == SEARCH:
            return distill_searched(DATASET, PART, recipe, supervision, distill_one)
        if len(made) == most:
            raise RunInterrupted("stopped")
        kept = supervision.checkpoint
        made.append("trial" if kept is None else recipe.labels)
        if kept is not None:
            # A run that is to go on without a checkpoint is refused.
            assert not supervision.resume or kept.exists()
            kept.write_bytes(b"kept")
        hard = replace(recipe, labels="hard", teacher=None)
        allocation = allocate(hard, np.array([16, 16]), PART.image_shape, 0)
        return Distilled(EncodedFile(FILE, {}), allocation, Budget(600, 2), 0.0, REAL, 1.0)

    watched = Supervision(judge_file=len, checkpoint=checkpoint, resume=resume)
    distill_auto_labels(DATASET, RECIPE, watched, torch.device("cpu"), distill_one)


def test_a_later_search_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    """Trials of the first and the second file are not made again; all is removed in the end."""
    whole: Made = []
    _run(tmp_path / "whole", whole)
    assert [name for name in whole if name != "trial"] == list(CANDIDATES)
    checkpoint = tmp_path / "x.ddc.checkpoint"
    first: Made = []
    most = whole.index("hard") + 4
    with pytest.raises(RunInterrupted):
        _run(checkpoint, first, most)
    second = label_checkpoint(checkpoint, CANDIDATES[1])
    assert search_path(second).exists() and not second.exists()
    again: Made = []
    _run(checkpoint, again, resume=True)
    # The first file is gone on with by its checkpoint.
    assert first.count("trial") + again.count("trial") == whole.count("trial")
    assert [name for name in again if name != "trial"] == list(CANDIDATES)
    Watch(checkpoint, True, None).remove_checkpoints()
    assert not list(tmp_path.glob("x.ddc*"))


def test_a_first_search_goes_on(tmp_path: Path) -> None:
    """It, too, has no checkpoint before it is done."""
    whole: Made = []
    _run(tmp_path / "whole", whole)
    made: Made = []
    with pytest.raises(RunInterrupted):
        _run(tmp_path / "x", made, most=3)
    again: Made = []
    _run(tmp_path / "x", again, resume=True)
    assert made == ["trial"] * 3 and made + again == whole
