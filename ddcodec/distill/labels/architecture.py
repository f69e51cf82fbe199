"""How large a labeler is for its share of the budget."""

from __future__ import annotations

from ddcodec.codec.parameters import DETAIL_BITS
from ddcodec.format.labeler_layers import LabelerLayer, LabelerShape
from ddcodec.format.limits import MAX_LABELER_CHANNELS

BITS_PER_WEIGHT = 1.1
"""Coded size of a weight that training under the rate ends at, for planning."""

BITS_PER_AFFINE = 18.0
"""Coded size of a channel's gain and bias, for planning."""

# Widths of the reference network, as shares of its last one.
_WIDTHS = (1 / 4, 1 / 2, 2 / 3, 1.0)
_STEP = 8
SMALLEST_SIDE = 8
"""Layers pool until an image is below it."""


def labeler_shape(
    image_shape: tuple[int, int, int], num_classes: int, last_width: int
) -> LabelerShape:
    """Return a labeler: a stem, then stages that halve the image, two of them with a skip.

    Args:
        image_shape: channels, height, width.
        num_classes: outputs.
        last_width: channels of the last layer.
    """
    first, second, third, last = (_rounded(last_width * share) for share in _WIDTHS)
    layers = [LabelerLayer(first, 3)]
    side = min(image_shape[1:])
    # Large images are brought to 32 pixels first: most of the work is in the first layers.
    while side >= 2 * 32:
        layers.append(LabelerLayer(first, 3, pooled=True))
        side //= 2
    stages = ((second, True), (third, True), (last, False))
    for width, has_block in stages:
        pooled = side >= SMALLEST_SIDE
        layers.append(LabelerLayer(width, 3, pooled))
        side = side // 2 if pooled else side
        if has_block:
            layers += [LabelerLayer(width, 3), LabelerLayer(width, 3, skip=2)]
    return LabelerShape(tuple(layers), image_shape, num_classes)


def shape_for_budget(
    image_shape: tuple[int, int, int],
    num_classes: int,
    budget_bits: float,
) -> LabelerShape:
    """Return the widest labeler whose weights are planned to fit a budget in bits.

    Args:
        image_shape: channels, height, width.
        num_classes: outputs.
        budget_bits: of all its tensors.
    """
    width = _STEP
    while width < MAX_LABELER_CHANNELS:
        wider = labeler_shape(image_shape, num_classes, width + _STEP)
        if BITS_PER_WEIGHT * wider.num_weights + affine_bits(wider) > budget_bits:
            break
        width += _STEP
    return labeler_shape(image_shape, num_classes, width)


def affine_bits(shape: LabelerShape) -> float:
    """Return the planned bits of gains, biases and the tables of all tensors."""
    channels = sum(layer.channels for layer in shape.layers) + shape.num_classes
    return BITS_PER_AFFINE * channels + DETAIL_BITS * len(shape.tensor_shapes())


def _rounded(width: float) -> int:
    return max(_STEP, _STEP * round(width / _STEP))
