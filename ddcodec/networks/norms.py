"""Normalisation layers by the names the field gives them."""

from collections.abc import Callable

from torch import nn

from ddcodec.errors import RecipeError

GROUPS = 4


def _group(channels: int, height: int, width: int) -> nn.Module:
    if channels % GROUPS:
        raise RecipeError(
            f"Group normalisation makes {GROUPS} groups and cannot divide {channels} channels; "
            f"choose a width that is a multiple of {GROUPS}."
        )
    return nn.GroupNorm(GROUPS, channels)


NORMS: dict[str, Callable[[int, int, int], nn.Module]] = {
    # Each channel of each image by itself (Ulyanov et al., 2016), as one group per channel.
    "instance": lambda channels, height, width: nn.GroupNorm(channels, channels),
    # Each channel over all images of a batch (Ioffe & Szegedy, 2015).
    "batch": lambda channels, height, width: nn.BatchNorm2d(channels),
    # All of an image, with a scale and shift per position, as in Zhao's code.
    "layer": lambda channels, height, width: nn.LayerNorm([channels, height, width]),
    "group": _group,
    "none": lambda channels, height, width: nn.Identity(),
}
"""What makes the layer for activations of a number of channels, a height and a width."""


def norm_layer(norm: str, channels: int, height: int, width: int) -> nn.Module:
    """Make a normalisation layer with learned scale and shift for N×C×H×W.

    Raises:
        RecipeError: The name is unknown, or a group has no whole number of channels.
    """
    if norm not in NORMS:
        raise RecipeError(f"Unknown normalisation '{norm}'; known are: {', '.join(NORMS)}.")
    return NORMS[norm](channels, height, width)
