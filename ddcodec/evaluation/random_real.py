"""Random real images: as many of each class as a training set has, which it has to beat."""

import numpy as np
from numpy.typing import NDArray

from ddcodec.errors import DataError


def draw_random_real(
    labels: NDArray[np.int64], counts: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Draw images of each class without replacement.

    Args:
        labels: Of the real images, N.
        counts: Images wanted of each class, num_classes.
        seed: Fixes the draw; a larger count of a class contains a smaller one.

    Returns:
        Indices into the real images, int64, by class.

    Raises:
        DataError: A class has fewer real images than wanted.
    """
    drawn = []
    for label, count in enumerate(counts.tolist()):
        members = np.flatnonzero(labels == label)
        if len(members) < count:
            raise DataError(
                f"Class {label} has {len(members)} real images, which cannot stand for {count}; "
                "leave the references out."
            )
        drawn.append(order_of_class(labels, label, seed)[:count])
    return np.concatenate(drawn)


def order_of_class(labels: NDArray[np.int64], label: int, seed: int) -> NDArray[np.int64]:
    """Return the indices of a class in random order, the same in every NumPy release."""
    members = np.flatnonzero(labels == label)
    # Raw PCG64 words never change; `permutation` is free to.
    keys = np.random.PCG64([seed, label]).random_raw(len(members))
    return members[np.argsort(keys, kind="stable")]
