"""How close decoded images are to those they were made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_PEAK = 255


def squared_errors(decoded: NDArray[np.uint8], given: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean squared error of each image, in squared grey levels."""
    return np.array(
        [
            np.square(one.astype(np.float64) - other).mean()
            for one, other in zip(decoded, given, strict=True)
        ]
    )


def psnr(mean_squared_error: float) -> float:
    """Return the PSNR in dB; infinite where there is no error."""
    if mean_squared_error == 0:
        return float("inf")
    return float(10 * np.log10(_PEAK**2 / mean_squared_error))
