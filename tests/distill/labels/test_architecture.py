"""Labelers fit their budget and any image."""

import pytest

from ddcodec.distill.labels.architecture import (
    BITS_PER_WEIGHT,
    affine_bits,
    labeler_shape,
    shape_for_budget,
)
from ddcodec.format.labeler_layers import LabelerLayer


def test_layers_for_small_images() -> None:
    """The layers of a labeler for 32 × 32 are those of docs/method.md."""
    shape = labeler_shape((3, 32, 32), 10, 96)
    assert shape.layers == (
        LabelerLayer(24, 3),
        LabelerLayer(48, 3, pooled=True),
        LabelerLayer(48, 3),
        LabelerLayer(48, 3, skip=2),
        LabelerLayer(64, 3, pooled=True),
        LabelerLayer(64, 3),
        LabelerLayer(64, 3, skip=2),
        LabelerLayer(96, 3, pooled=True),
    )
    assert shape.num_weights == 211_052


@pytest.mark.parametrize("image_shape", [(3, 128, 128), (1, 28, 28), (3, 8, 12), (1, 1, 1)])
def test_any_image(image_shape: tuple[int, int, int]) -> None:
    """Every size of image gets a valid labeler."""
    shape = labeler_shape(image_shape, 3, 32)
    assert min(min(size) for size in shape.sizes) >= 1


def test_more_than_enough() -> None:
    """A budget beyond the widest labeler gets that one."""
    assert shape_for_budget((3, 32, 32), 1000, 1e9).layers[-1].channels == 1024


@pytest.mark.parametrize("bits", [12_000, 60_000, 230_000])
def test_budget(bits: int) -> None:
    """The widest labeler that is planned to fit is taken."""
    shape = shape_for_budget((3, 32, 32), 10, bits)
    wider = labeler_shape((3, 32, 32), 10, shape.layers[-1].channels + 8)
    assert BITS_PER_WEIGHT * wider.num_weights + affine_bits(wider) > bits
    assert BITS_PER_WEIGHT * shape.num_weights + affine_bits(shape) <= bits
