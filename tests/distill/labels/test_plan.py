"""Runs whose files carry more than class numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.decode import decode_bytes
from ddcodec.distill.distill import distill
from ddcodec.distill.labels.making import TeacherSettings, make_teacher
from ddcodec.distill.labels.plan import LABELER_STUDENT
from ddcodec.distill.labels.training import LabelerSettings
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.errors import BudgetError, DataError, RecipeError
from ddcodec.format.header import LABEL_MODE_LABELER, LABEL_MODE_SOFT
from ddcodec.format.student_recipe import StudentRecipe
from ddcodec.training_set import TrainingSet

pytestmark = pytest.mark.long

DATASET = tiny_dataset(per_class=40)
RECIPE = Recipe(
    bytes_per_class=2500.0, loss="none", fit_steps=16, validate=False, images_per_class=12,
    labeler_epochs=12.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    """Return the folder of a teacher of the dataset."""
    settings = LabelerSettings(epochs=8, batch_size=16, warmup_updates=4)
    folder = tmp_path / "teacher"
    cpu = torch.device("cpu")
    make_teacher(DATASET, folder, TeacherSettings(16, settings), cpu, lambda progress: None)
    return str(folder)


def test_a_labeler_shares_the_budget() -> None:
    """Labeler and images fit the budget together, and the labeler keeps to its share."""
    distilled = distill(DATASET, replace(RECIPE, labels="labeler", labeler_share=0.3))
    assert distilled.size_bytes <= 5000
    assert abs(distilled.estimated_bytes - distilled.size_bytes) < 0.005 * 5000 + 30
    assert 500 < distilled.encoded.section_bits["labeler"] / 8 <= 0.3 * 5000
    decoded = decode_bytes(distilled.encoded.data)
    assert decoded.header.label_mode == LABEL_MODE_LABELER
    found = TrainingSet.from_decoded(decoded)
    assert found.labeler is not None and found.soft_labels is None
    assert found.recipe == LABELER_STUDENT
    exact = found.labeler.exact_logits(found.images)
    views = found.labeler(found.normalize())
    # bfloat16 where it pays.
    assert float((exact - views).abs().max()) < 0.05 * float(exact.abs().max()) + 0.05


def test_renditions_may_be_advised_with_any_labels() -> None:
    """The number that a recipe names is in the file, beside the rate that the loss advises."""
    distilled = distill(DATASET, replace(RECIPE, renditions=3, loss="dm", joint_steps=2))
    found = TrainingSet.from_decoded(decode_bytes(distilled.encoded.data))
    assert found.recipe == StudentRecipe(renditions=3, sgd_rate=0.03)
    assert distilled.size_bytes <= 5000
    with pytest.raises(RecipeError, match="renditions must be 1 to 64, not 65"):
        replace(RECIPE, renditions=65)


def test_soft_labels_are_those_of_the_decoded_images(teacher: str) -> None:
    """Each image has a vector, and a sure teacher's says the class; a part keeps its own."""
    distilled = distill(DATASET, replace(RECIPE, labels="soft", teacher=teacher))
    assert distilled.size_bytes <= 5000
    decoded = decode_bytes(distilled.encoded.data)
    assert decoded.header.label_mode == LABEL_MODE_SOFT
    found = TrainingSet.from_decoded(decoded)
    assert found.soft_labels is not None and found.soft_labels.shape == (24, 2)
    assert torch.equal(found.soft_labels.argmax(1), found.labels)
    part = found[20:]
    assert part.soft_labels is not None
    assert torch.equal(part.soft_labels, found.soft_labels[20:])


def test_a_labeler_may_learn_from_a_teacher(teacher: str) -> None:
    """With a teacher the labeler is another one."""
    # Long enough for weights to move by whole steps.
    recipe = replace(RECIPE, labels="labeler", labeler_epochs=100.0)
    plain, taught = (
        decode_bytes(distill(DATASET, replace(recipe, teacher=who)).encoded.data)
        for who in (None, teacher)
    )
    first, second = plain.content.labeler, taught.content.labeler
    assert first is not None and second is not None
    assert any(not np.array_equal(first[name].integers, second[name].integers) for name in first)


def test_a_teacher_of_another_dataset_is_refused(teacher: str) -> None:
    """Before anything is fitted."""
    with pytest.raises(DataError, match="of another dataset"):
        distill(tiny_dataset(per_class=41), replace(RECIPE, labels="soft", teacher=teacher))


def test_no_room_for_images() -> None:
    """A share that leaves images next to nothing is refused."""
    with pytest.raises(BudgetError, match="leaves no room for images"):
        distill(DATASET, replace(RECIPE, labels="labeler", labeler_share=0.95))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "softer"}, "labels 'softer' is not one of hard, soft, labeler"),
        ({"labels": "soft"}, "Soft labels need a teacher"),
        ({"labels": "labeler", "parameterization": "pixels"}, "Pixels have hard labels only"),
        ({"labeler_share": 1.0}, "labeler_share must lie between 0 and 1"),
        ({"labeler_epochs": float("inf")}, "labeler_epochs must be above 0"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    """Wrong settings end in one sentence."""
    with pytest.raises(RecipeError, match=message):
        replace(RECIPE, **changes)  # type: ignore[arg-type]
