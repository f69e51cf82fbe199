"""Parts of a dataset, which are read when needed where the dataset is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ddcodec.datasets.base import (
    Dataset,
    ImageSplit,
    Pixels,
    has_validation_part,
)
from ddcodec.datasets.streamed.images import StreamedImages
from ddcodec.errors import DataError


def chosen(images: Pixels, rows: NDArray[np.int64]) -> Pixels:
    """Return some of the images, uint8 M×C×H×W, of which none is decoded before it is needed."""
    if isinstance(images, StreamedImages):
        return images.chosen(rows)
    return np.ascontiguousarray(images[rows])


def validation_part(dataset: Dataset) -> ImageSplit:
    """Take the training images that no stage trains on; see `split_validation`.

    Raises DataError where there are none.
    """
    if not dataset.holds_out:
        raise DataError(f"No training image of '{dataset.name}' is held out to validate on.")
    if not has_validation_part(dataset):
        raise DataError(
            f"'{dataset.name}' has one image of each class, so that none can be held back for "
            "validation; add some."
        )
    _, rows = dataset.split_rows()
    return ImageSplit(chosen(dataset.train.images, rows), dataset.train.labels[rows])
