"""Images and labels as arrays: layout, ranges and kinds of label, checked."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ddcodec.errors import DataError
from ddcodec.evaluation.students.labelled_images import check_probabilities, is_probabilities

FLOAT_RANGES: dict[str, tuple[float, float]] = {
    "unit": (0.0, 1.0),
    "signed": (-1.0, 1.0),
    "pixels": (0.0, 255.0),
    # Not a range that anything has to keep to: a guard against pixels that were never normalised.
    "normalised": (-50.0, 50.0),
}
"""What float images may be: [0, 1], [−1, 1], [0, 255], or (pixels / 255 − mean) / std."""

_TO_UNIT: dict[str, Callable[[Tensor], Tensor]] = {
    "unit": lambda images: images,
    "signed": lambda images: (images + 1) / 2,
    "pixels": lambda images: images / 255,
}
_TOLERANCE = 1e-3


def as_batch(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Bring images into the order N×C×H×W.

    Args:
        images: N×C×H×W, N×H×W×C, or N×H×W where images are grey.
        shape: (C, H, W) that they are to have.

    Raises:
        DataError: They have another shape.
    """
    channels, height, width = shape
    found = tuple(images.shape[1:])
    if images.ndim == 4 and found == (channels, height, width):
        return images
    if images.ndim == 4 and found == (height, width, channels):
        return images.permute(0, 3, 1, 2)
    if images.ndim == 3 and channels == 1 and found == (height, width):
        return images[:, None]
    raise DataError(
        f"Images of shape {tuple(images.shape)} are not N images of {channels}x{height}x{width}, "
        "which the dataset has; store N×C×H×W or N×H×W×C, all of one size."
    )


def as_pixels(images: Tensor, float_range: str | None) -> tuple[Tensor, str | None]:
    """Check the values of images.

    Args:
        images: Integers in 0 … 255, or floats in a range of `FLOAT_RANGES`.
        float_range: Its name; None takes floats in [0, 1] and refuses others.

    Returns:
        uint8 images and None, or float32 images and the name of their range.

    Raises:
        DataError: The values are no numbers, or beyond the range.
    """
    if images.dtype == torch.uint8:
        return images, None
    if images.dtype == torch.bool or images.is_complex():
        raise DataError(f"Images are {images.dtype}; store uint8 or float32.")
    if not images.numel():
        raise DataError("There are no images to train on.")
    low, high = float(images.min()), float(images.max())
    if not images.is_floating_point():
        if low < 0 or high > 255:
            raise DataError(f"Pixels run from {low:g} to {high:g}; they must lie in 0 … 255.")
        return images.to(torch.uint8), None
    name = float_range or "unit"
    least, most = FLOAT_RANGES[name]
    slack = _TOLERANCE * (most - least)
    if not (least - slack <= low and high <= most + slack):
        hint = (
            f"say with --float-range what they are: {', '.join(FLOAT_RANGES)}"
            if float_range is None
            else "choose another --float-range"
        )
        raise DataError(
            f"Float images run from {low:g} to {high:g}, beyond {least:g} … {most:g}; {hint}."
        )
    return images.to(torch.float32), name


def as_seen(
    images: Tensor, float_range: str, normalisation: tuple[Sequence[float], Sequence[float]]
) -> Tensor:
    """Normalise float images N×C×H×W of a range in `FLOAT_RANGES`, without rounding or clipping."""
    if float_range == "normalised":
        return images
    mean, std = (torch.tensor(values)[:, None, None] for values in normalisation)
    seen: Tensor = (_TO_UNIT[float_range](images) - mean) / std
    return seen.to(torch.float32)


def as_labels(labels: Tensor, num_images: int, num_classes: int) -> tuple[Tensor, Tensor | None]:
    """Tell hard labels from soft ones.

    Args:
        labels: Integers N, or floats N×num_classes: probabilities, or else logits.
        num_images: N.
        num_classes: Classes of the dataset.

    Returns:
        Hard labels, int64 N, and probabilities, float32 N×num_classes, where there are some; the
        hard label is then the likeliest.

    Raises:
        DataError: They are neither, or there are not N.
    """
    if len(labels) != num_images or labels.ndim not in (1, 2):
        raise DataError(
            f"{num_images} images need as many labels, not labels of shape {tuple(labels.shape)}."
        )
    if labels.ndim == 1:
        if labels.is_floating_point() and not bool((labels == labels.round()).all()):
            raise DataError("Hard labels must be whole numbers; soft ones need a row per image.")
        if labels.dtype == torch.bool or labels.is_complex():
            raise DataError(f"Labels are {labels.dtype}; store integers.")
        return labels.to(torch.int64), None
    if not labels.is_floating_point():
        raise DataError("Soft labels must be floats, one row of classes per image.")
    rows = labels.to(torch.float32)
    if not bool(torch.isfinite(rows).all()):
        raise DataError("Soft labels are not all finite numbers.")
    if rows.shape[1] == num_classes and not is_probabilities(rows):
        rows = rows.softmax(dim=1)
    check_probabilities(rows, num_images, num_classes)
    return rows.argmax(dim=1), rows
