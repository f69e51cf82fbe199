"""The latent planes of an image: how many, how large, in which order.

Planes are numbered against the order of the file: plane 0, the finest, is coded last.
"""

from dataclasses import dataclass
from functools import lru_cache

PYRAMID = 1
WAVELET = 2
WAVELET_HALF_CHROMA = 3
PIXELS = 4
"""Synthesis ids (docs/format.md). 3 has no finest planes but those of the first colour; 4 has the
channels of the image itself."""

BAND_LOW, BAND_HORIZONTAL, BAND_VERTICAL, BAND_DIAGONAL = range(4)
"""Bands of a wavelet level; horizontal means: high frequencies along the rows."""


@dataclass(frozen=True)
class Plane:
    """One latent grid.

    Attributes:
        level: 0 the finest; a level has half the rows and columns of the one below.
        colour: 0 for all levels of a pyramid and for the first component of a wavelet; the
            channel of pixels.
        band: one of the `BAND_…` numbers; pyramids and pixels know only `BAND_LOW`.
        rows, columns: its size; a wavelet plane may be empty.
        name: of its part in `ddc inspect`.
    """

    level: int
    colour: int
    band: int
    rows: int
    columns: int
    name: str

    @property
    def size(self) -> int:
        """Latents of the plane."""
        return self.rows * self.columns


def halved(size: int, times: int) -> int:
    """Return ceil(size / 2^times)."""
    return -(-size >> times)


@lru_cache(maxsize=64)
def planes_of(
    synthesis_id: int, num_levels: int, channels: int, height: int, width: int
) -> tuple[Plane, ...]:
    """Return the planes of an image, the finest first; the file has them in reverse order."""
    if synthesis_id == PYRAMID:
        return tuple(
            Plane(
                level, 0, BAND_LOW, halved(height, level), halved(width, level), f"latents {level}"
            )
            for level in range(num_levels)
        )
    if synthesis_id == PIXELS:
        return tuple(
            Plane(0, channel, BAND_LOW, height, width, f"latents channel {channel}")
            for channel in reversed(range(channels))
        )
    coded = [
        _wavelet_plane(num_levels, colour, BAND_LOW, height, width) for colour in range(channels)
    ]
    for level in reversed(range(num_levels)):
        colours = 1 if level == 0 and synthesis_id == WAVELET_HALF_CHROMA else channels
        coded += [
            _wavelet_plane(level, colour, band, height, width)
            for colour in range(colours)
            for band in (BAND_HORIZONTAL, BAND_VERTICAL, BAND_DIAGONAL)
        ]
    return tuple(reversed(coded))


def _wavelet_plane(level: int, colour: int, band: int, height: int, width: int) -> Plane:
    rows, columns = halved(height, level), halved(width, level)
    if band in (BAND_VERTICAL, BAND_DIAGONAL):
        rows //= 2
    elif band == BAND_HORIZONTAL:
        rows = halved(rows, 1)
    if band in (BAND_HORIZONTAL, BAND_DIAGONAL):
        columns //= 2
    elif band == BAND_VERTICAL:
        columns = halved(columns, 1)
    name = f"latents {level} {'chroma' if colour else 'luma'}"
    return Plane(level, colour, band, rows, columns, name)
