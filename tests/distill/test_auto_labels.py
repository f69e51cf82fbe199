"""A file with each kind of label, and the choice among them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.decode import decode_bytes
from ddcodec.distill.auto_labels import CANDIDATES, distill_auto_labels
from ddcodec.distill.distill import distill
from ddcodec.distill.labels import making
from ddcodec.distill.labels.training import LabelerSettings
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.distilled import Distilled
from ddcodec.distill.running.progress import Supervision
from ddcodec.errors import RecipeError
from ddcodec.format.header import LABEL_MODE_HARD, LABEL_MODE_LABELER, LABEL_MODE_SOFT
from ddcodec.training_set import TrainingSet

pytestmark = pytest.mark.long

DATASET = tiny_dataset(per_class=40)
RECIPE = Recipe(
    bytes_per_class=2500.0, loss="none", fit_steps=16, validate=False, images_per_class=12,
    labels="auto", labeler_epochs=12.0,
)  # fmt: skip
CPU = torch.device("cpu")
SMALL = making.TeacherSettings(16, LabelerSettings(epochs=4, batch_size=16, warmup_updates=4))
MODES = dict(zip(CANDIDATES, (LABEL_MODE_HARD, LABEL_MODE_SOFT, LABEL_MODE_LABELER), strict=True))


@pytest.fixture(autouse=True)
def _cache_and_small_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ddcodec.distill.auto_labels.TeacherSettings", lambda: SMALL)


def _kind(training_set: TrainingSet) -> str:
    if training_set.labeler is not None:
        return "labeler"
    return "hard" if training_set.soft_labels is None else "soft"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distilled]:
    """Return a finished file of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDC_CACHE", str(tmp_path_factory.mktemp("cache")))
        teacher = str(tmp_path_factory.mktemp("teacher"))
        making.make_teacher(DATASET, Path(teacher), SMALL, CPU, lambda progress: None)
        return {
            labels: distill(DATASET, replace(RECIPE, labels=labels, teacher=teacher))
            for labels in CANDIDATES
        }


@pytest.mark.parametrize("favourite", CANDIDATES)
def test_what_teaches_best_is_kept(files: dict[str, Distilled], favourite: str) -> None:
    """Each kind is made and judged once, as it advises, and the best file is the result."""
    made: list[Recipe] = []
    judged: dict[str, int] = {}
    notices: list[str] = []

    def judge(training_set: TrainingSet) -> float:
        kind = _kind(training_set)
        judged[kind] = len(training_set)
        return 80.0 if kind == favourite else 70.0

    def make(recipe: Recipe, supervision: Supervision) -> Distilled:
        made.append(recipe)
        return files[recipe.labels]

    supervision = Supervision(judge_file=judge, on_notice=notices.append)
    recipe = replace(RECIPE, loss="dm", loss_options={"cross_entropy": 1.0})
    distilled = distill_auto_labels(DATASET, recipe, supervision, CPU, make)
    assert judged == dict.fromkeys(("hard", "soft", "labeler"), 24 * 8)
    assert decode_bytes(distilled.encoded.data).header.label_mode == MODES[favourite]
    assert distilled.label_accuracies[favourite] == 80.0
    # Of all three, and of judging them.
    assert distilled.seconds > sum(file.seconds for file in files.values())
    assert len(notices) == 2 * len(CANDIDATES)
    for name, made_notice, judged_notice in zip(
        CANDIDATES, notices[::2], notices[1::2], strict=True
    ):
        size = files[name].size_bytes
        assert made_notice == f"labels {name}: {size:,} bytes, on which students are trained now"
        accuracy = "80.0" if name == favourite else "70.0"
        assert judged_notice == f"labels {name}: {accuracy} % on validation"
    # The file with a labeler holds real images, whatever the loss.
    assert [recipe.loss for recipe in made] == ["dm", "dm", "none"]
    assert made[1].teacher is not None and not made[2].loss_options


@pytest.mark.parametrize(("teacher", "of_soft"), [(None, "x.ddc"), ("folder", None)])
def test_a_labeler_of_another_file_serves_both(
    files: dict[str, Distilled], teacher: str | None, of_soft: str | None
) -> None:
    """It is taken, and gives the soft labels where no teacher is named; none is trained then."""
    made: list[Recipe] = []

    def make(recipe: Recipe, supervision: Supervision) -> Distilled:
        made.append(recipe)
        return files[recipe.labels]

    recipe = replace(RECIPE, labeler_from="x.ddc", teacher=teacher)
    distill_auto_labels(DATASET, recipe, Supervision(judge_file=len), CPU, make)
    assert [recipe.labeler_from for recipe in made] == [None, of_soft, "x.ddc"]
    assert made[1].teacher == teacher


def test_no_room_for_a_labeler() -> None:
    """Kinds that the budget cannot hold are left out, and said to be."""
    notices: list[str] = []
    recipe = replace(RECIPE, bytes_per_class=700.0, labeler_share=0.01)
    supervision = Supervision(judge_file=lambda training_set: 1.0, on_notice=notices.append)
    distilled = distill(DATASET, recipe, supervision)
    assert set(distilled.label_accuracies) == {"hard", "soft"}
    assert any("No labeler fits" in notice for notice in notices)


def test_files_are_kept_apart(tmp_path: Path) -> None:
    """Each kind has a checkpoint of its own, and a resumed run ends with the same bytes."""
    checkpoint = tmp_path / "x.ddc.checkpoint"
    supervision = Supervision(judge_file=len, checkpoint=checkpoint, checkpoint_seconds=0.0)
    first = distill(DATASET, RECIPE, supervision)
    kept = sorted(path.name for path in tmp_path.glob("x.ddc*"))
    assert kept == [f"x.ddc.checkpoint{suffix}" for suffix in ("", ".labeler", ".soft")]
    again = distill(DATASET, RECIPE, replace(supervision, resume=True))
    assert again.encoded.data == first.encoded.data


def test_somebody_has_to_judge() -> None:
    """Without a judge there is nothing to choose by."""
    with pytest.raises(RecipeError, match="has a second image to hold back"):
        distill(DATASET, RECIPE)
