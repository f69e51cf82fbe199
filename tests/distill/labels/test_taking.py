"""Labelers that are taken from a file that has one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from distill.tiny_dataset import tiny_dataset

from ddcodec.codec.decode import decode_bytes
from ddcodec.distill.distill import distill
from ddcodec.distill.labels import making
from ddcodec.distill.labels.soft_targets import SoftSettings
from ddcodec.distill.recipe.recipe import Recipe
from ddcodec.distill.running.progress import Supervision
from ddcodec.errors import BudgetError, DataError, FormatError, RecipeError
from ddcodec.training_set import TrainingSet, load

pytestmark = pytest.mark.long

DATASET = tiny_dataset(per_class=40)
TRAINED = Recipe(
    bytes_per_class=2500.0, loss="none", fit_steps=16, validate=False, images_per_class=12,
    labels="labeler", labeler_epochs=12.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose labeler was trained for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDC_CACHE", str(tmp_path_factory.mktemp("cache")))
        path = tmp_path_factory.mktemp("files") / "source.ddc"
        path.write_bytes(distill(DATASET, TRAINED).encoded.data)
        return path


@pytest.fixture
def taking(source: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Return the recipe of a larger file with that labeler, while none can be trained."""

    def never(*_: object) -> None:
        raise AssertionError("nothing is trained where a labeler is taken")

    monkeypatch.setattr(making.LabelerTraining, "update", never)
    return replace(TRAINED, bytes_per_class=3500.0, labeler_from=str(source))


def test_the_labeler_is_taken_as_it_is(source: Path, taking: Recipe) -> None:
    """Another budget, the same weights in the same bits, and a sentence that says how good."""
    notices: list[str] = []
    distilled = distill(DATASET, taking, Supervision(on_notice=notices.append))
    assert 0.97 * 7000 <= distilled.size_bytes <= 7000
    first, second = decode_bytes(source.read_bytes()), decode_bytes(distilled.encoded.data)
    assert first.header.labeler_layers == second.header.labeler_layers
    before, after = first.content.labeler, second.content.labeler
    assert before is not None and after is not None and before.keys() == after.keys()
    for name, tensor in before.items():
        assert np.array_equal(tensor.integers, after[name].integers)
        assert tensor.step_exponent == after[name].step_exponent
    assert first.section_bits["labeler"] == pytest.approx(second.section_bits["labeler"])
    size = round(first.section_bits["labeler"] / 8)
    (notice,) = notices
    assert notice.startswith(f"labeler: {size:,} bytes, ") and notice.endswith(" % on validation")


def test_it_is_the_file_that_training_gives(source: Path, taking: Recipe) -> None:
    """At its own budget the same images are chosen and coded, byte for byte."""
    again = distill(DATASET, replace(taking, bytes_per_class=TRAINED.bytes_per_class))
    assert again.encoded.data == source.read_bytes()


def test_it_keeps_to_its_share(taking: Recipe) -> None:
    """A labeler above its share is refused, with what to do."""
    with pytest.raises(BudgetError, match="above its share of 140; raise --labeler-share"):
        distill(DATASET, replace(taking, labeler_share=0.02))


def test_it_gives_soft_labels(source: Path, taking: Recipe) -> None:
    """As a teacher it may be larger than its share would be, and is not in the file."""
    distilled = distill(DATASET, replace(taking, labels="soft", labeler_share=0.02))
    found = TrainingSet.from_decoded(decode_bytes(distilled.encoded.data))
    teacher = load(source).labeler
    assert found.labeler is None and found.soft_labels is not None and teacher is not None
    assert "labeler" not in distilled.encoded.section_bits
    exact = teacher.exact_logits(found.images).softmax(1)
    weight = SoftSettings().teacher_weight
    wanted = weight * exact + (1 - weight) * torch.nn.functional.one_hot(found.labels)
    # Labels are rounded to whole multiples of a step.
    assert float((found.soft_labels - wanted).abs().mean()) < 0.05


def test_it_must_fit_the_dataset(taking: Recipe) -> None:
    """A labeler of images of another size is refused before anything is fitted."""
    message = r"for 3×8×12 images of 2 classes, 'tiny' has 3×10×12 images of 2\."
    with pytest.raises(DataError, match=message):
        distill(tiny_dataset(per_class=40, height=10), taking)


def test_it_must_know_the_classes(taking: Recipe) -> None:
    """A labeler of another dataset of the same shape is refused: here the classes are mixed up."""
    split = DATASET.train
    mixed = replace(split, labels=np.arange(len(split.labels)) % 2)
    other = replace(DATASET, train=mixed, fingerprint="mixed")
    with pytest.raises(DataError, match=r"right, guessing 50\.0: it was made for other classes"):
        distill(other, taking)


def test_files_without_a_labeler(taking: Recipe, tmp_path: Path) -> None:
    """A file that has none, is none or is not there ends in one sentence."""
    plain, broken = tmp_path / "plain.ddc", tmp_path / "broken.ddc"
    hard = replace(TRAINED, labels="hard")
    plain.write_bytes(distill(DATASET, hard).encoded.data)
    broken.write_bytes(b"no file of ours")
    with pytest.raises(DataError, match=r"plain\.ddc' has no labeler to take"):
        distill(DATASET, replace(taking, labeler_from=str(plain)))
    with pytest.raises(FormatError, match=r"broken\.ddc'"):
        distill(DATASET, replace(taking, labeler_from=str(broken)))
    with pytest.raises(DataError, match=r"gone\.ddc'"):
        distill(DATASET, replace(taking, labeler_from=str(tmp_path / "gone.ddc")))


def test_hard_labels_take_none() -> None:
    """With hard labels there is nothing to take, and soft labels have one teacher."""
    with pytest.raises(RecipeError, match="Files with hard labels have no labeler"):
        replace(TRAINED, labels="hard", labeler_from="x.ddc")
    with pytest.raises(RecipeError, match="come from one teacher; leave --teacher or"):
        replace(TRAINED, labels="soft", labeler_from="x.ddc", teacher="folder")
