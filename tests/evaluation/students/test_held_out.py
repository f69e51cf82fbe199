"""Test images that are read some at a time: the same accuracies, and never all in memory."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ddcodec import evaluation, networks
from ddcodec.datasets import base
from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.errors import DataError
from ddcodec.evaluation import HeldOutImages, LabelledImages
from ddcodec.evaluation.candidates.candidate import Candidate
from ddcodec.evaluation.judge import find_protocol, labeler_accuracy
from ddcodec.evaluation.preparation import prepare
from ddcodec.evaluation.students.train import accuracies

MEAN, STD = (0.5,) * 3, (0.25,) * 3
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (300, 3, 8, 8)).astype(np.uint8)
LABELS = RANDOM.integers(0, 3, 300)


class CountedPixels:
    """Give images by slices only, and count them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images, self.shape = images, images.shape
        self.read: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: slice) -> NDArray[np.uint8]:
        images = self._images[rows]
        self.read.append(len(images))
        return images

    def __array__(self, *_: Any, **__: Any) -> NDArray[Any]:
        raise AssertionError("all images are brought into memory")


@pytest.fixture(autouse=True)
def _pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 130 images be a piece."""
    monkeypatch.setattr(base, "CHUNK_BYTES", 130 * 3 * 8 * 8)


def _in_memory() -> LabelledImages:
    return LabelledImages(torch.from_numpy(IMAGES), torch.from_numpy(LABELS), MEAN, STD)


def test_batches_are_those_of_images_in_memory() -> None:
    """Whole batches are read at a time, as many as fit a piece, and none before it is wanted."""
    pixels = CountedPixels(IMAGES)
    held_out = HeldOutImages.of(ImageSplit(pixels, LABELS), MEAN, STD)
    held_out.check(3)
    assert pixels.read == []
    batches = list(held_out.batches(64))
    assert pixels.read == [128, 128, 44]
    assert [len(batch.labels) for batch in batches] == [64, 64, 64, 64, 44]
    for batch, expected in zip(batches, _in_memory().batches(64), strict=True):
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(batch.labels, expected.labels)
    # A batch larger than a piece is read as one.
    pixels.read.clear()
    assert [len(batch.labels) for batch in held_out.batches(200)] == [200, 100]
    assert pixels.read == [200, 100]


def test_the_same_accuracy() -> None:
    """Of a network, of a labeler and of networks trained by `evaluate`, to the last image."""
    network = networks.build("convnet", (3, 8, 8), 3, seed=1, network_width=4).eval()
    pixels = CountedPixels(IMAGES)
    held_out = HeldOutImages(pixels, torch.from_numpy(LABELS), MEAN, STD)
    found = evaluation.accuracy(network, held_out)
    assert found == evaluation.accuracy(network, _in_memory())
    assert 20 < found < 50 and sum(pixels.read) == 300
    other = networks.build("convnet", (3, 8, 8), 3, seed=2, network_width=4).eval()
    pixels.read.clear()
    both = accuracies([network, other], held_out)
    assert both == [found, evaluation.accuracy(other, _in_memory())] and sum(pixels.read) == 300
    assert accuracies([], held_out) == []

    labelled = LabelledImages(*(getattr(_in_memory(), name) for name in ("images", "labels")),
                              MEAN, STD, labeler=network)  # fmt: skip
    # In float32, where students may have bfloat16; 125 at a time rounds as all at once do.
    named = network(_in_memory().normalised(torch.device("cpu"))).argmax(1)
    exact = 100.0 * int((named == torch.from_numpy(LABELS)).sum()) / 300
    assert labeler_accuracy(labelled, held_out) == labeler_accuracy(labelled, _in_memory()) == exact

    protocol = evaluation.Protocol("tiny", updates=3, batch_size=4, network_width=4, networks=2)
    pixels.read.clear()
    reports = [
        evaluation.evaluate(IMAGES[:6], LABELS[:6], test, LABELS, (MEAN, STD), protocol)
        for test in (pixels, IMAGES, torch.from_numpy(IMAGES))
    ]
    assert reports[0].accuracies == reports[1].accuracies == reports[2].accuracies
    assert pixels.read == 2 * [128, 128, 44]


def test_preparing_reads_no_test_image() -> None:
    """What is tested on is looked at when the first network is tested."""
    pixels = CountedPixels(IMAGES)
    train = ImageSplit(IMAGES[:20], LABELS[:20])
    real = Dataset("noise", ("a", "b", "c"), train, ImageSplit(pixels, LABELS), fingerprint="n")
    candidate = Candidate(".npz", *(torch.from_numpy(part[:6]) for part in (IMAGES, LABELS)), 9)
    assert real.test is not None
    ready = prepare(candidate, real, real.test, find_protocol("quick"))
    assert pixels.read == [] and len(ready.test.labels) == 300


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[:4], LABELS[:3], "4 images need as many labels"),
        (IMAGES[:0], LABELS[:0], "no images to train or test on"),
        (IMAGES[:2], np.array([0, 3]), "Labels must lie in 0…2, not 0…3"),
        (IMAGES[:2], np.array([0.5, 0.5]), "must be integers"),
    ],
)
def test_unusable_ones(images: Any, labels: Any, message: str) -> None:
    """Labels are checked before any image is read."""
    pixels = CountedPixels(images)
    with pytest.raises(DataError, match=message):
        HeldOutImages.of(ImageSplit(pixels, labels), MEAN, STD).check(3)
    assert pixels.read == []
