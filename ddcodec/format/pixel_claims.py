"""What turning latents into pixels takes, counted from the header alone."""

from dataclasses import dataclass
from itertools import pairwise

from ddcodec.format.header import (
    SYNTHESIS_KERNEL_TAPS,
    UPSAMPLING_TAPS,
    WAVELET_TAPS,
    Header,
)
from ddcodec.format.planes import PIXELS, PYRAMID, halved
from ddcodec.format.prices import MEMORY, TIME

WINDOW_POSITIONS = 1 << 20
"""Positions of the images that are rendered between two looks at who wants them, at most, where one
image has fewer."""

CHUNK_POSITIONS = 1 << 15
"""Positions of the images that run through a decoder together, likewise."""

CHUNK_VALUES = 1 << 17
"""Numbers of a layer of a refinement in work at once, unless a line of pixels has more."""

BAND = 48
"""Coefficients that a sample of a wavelet is made of, those that are 0 in a block included."""

DOUBLING_REACH = 4
"""Rows or columns that an upsampling adds at the ends."""


@dataclass(frozen=True)
class PixelCounts:
    """What one image, one chunk of images and one decoder ask for.

    Attributes:
        macs, values: multiply-adds, and numbers touched one by one, of an image.
        steps: groups of numpy calls for a chunk, however small.
        basis: entries of the matrices of a wavelet, made again for every chunk.
        working: numbers in work at once for each position of a chunk.
        block: numbers in work at once, however few positions.
    """

    macs: int
    values: int
    steps: int
    basis: int
    working: int
    block: int = 0


def rendering_seconds(header: Header) -> float:
    """Return what rendering all images once takes, in seconds."""
    counts = pixel_counts(header)
    chunks = num_chunks(header)
    images = header.num_images * (TIME.mac * counts.macs + TIME.value * counts.values)
    return images + chunks * (TIME.call * counts.steps + TIME.basis * counts.basis)


def rendering_bytes(header: Header) -> int:
    """Return the memory of all images and of what is in work meanwhile, in bytes."""
    counts = pixel_counts(header)
    area = header.height * header.width
    window = min(header.num_images * area, max(area, WINDOW_POSITIONS))
    # Pixels themselves pass a whole window at a time.
    largest = WINDOW_POSITIONS if header.synthesis_id == PIXELS else CHUNK_POSITIONS
    chunk = min(header.num_images * area, max(area, largest))
    pixels = header.channels * (header.num_images * area + 3 * window)
    latents = MEMORY.symbol * header.positions_per_image * -(-window // area)
    basis = MEMORY.basis * counts.basis // WAVELET_TAPS
    numbers = counts.working * chunk + counts.block
    return pixels + latents + MEMORY.number * numbers + basis


def num_chunks(header: Header) -> int:
    """Return how often a decoder is called on a few images, at most.

    Every set that a window of images has an image of renders its own.
    """
    area = header.height * header.width
    windows = -(-header.num_images // max(1, WINDOW_POSITIONS // area))
    calls = min(header.num_images, min(header.num_sets, header.num_images) * windows)
    return calls + header.num_images // max(1, CHUNK_POSITIONS // area)


def pixel_counts(header: Header) -> PixelCounts:
    """Return what the decoder of a header asks for."""
    if header.synthesis_id == PIXELS:
        numbers = header.channels * header.height * header.width
        return PixelCounts(0, 4 * numbers, 1, 0, 4 * header.channels)
    if header.synthesis_id == PYRAMID:
        return _pyramid_counts(header)
    return _wavelet_counts(header)


def _pyramid_counts(header: Header) -> PixelCounts:
    area, channels = header.height * header.width, header.channels
    widths = (header.num_levels, *header.synthesis_widths, channels)
    dense = sum(a * b for a, b in pairwise(widths))
    spatial = 2 * SYNTHESIS_KERNEL_TAPS * channels**2
    doubled, largest = 0, 0
    for level in range(header.num_levels - 1, 0, -1):
        rows, columns = halved(header.height, level), halved(header.width, level)
        tall = halved(header.height, level - 1)
        numbers = (rows + DOUBLING_REACH + 2 * rows) * columns
        numbers += tall * (columns + DOUBLING_REACH + 2 * columns)
        doubled += (header.num_levels - level) * numbers
        largest = max(largest, (header.num_levels - level) * numbers)
    # A pixel by itself has a surrounding of nine, padded and then gathered.
    surroundings = 2 * (2 * SYNTHESIS_KERNEL_TAPS + 4) * channels
    # Padded, gathered, summed up tap by tap.
    values = 3 * doubled + area * (sum(widths) + surroundings)
    working = 3 * header.num_levels + 2 * -(-largest // area) + surroundings // 2 + 4 * channels
    macs = area * (dense + spatial) + UPSAMPLING_TAPS * doubled
    return PixelCounts(macs, values, 4 * header.num_levels + len(widths) + 2, 0, working)


def _wavelet_counts(header: Header) -> PixelCounts:
    area, channels = header.height * header.width, header.channels
    macs, values, basis = area * channels**2, 0, 0
    for level in range(header.num_levels):
        rows, columns = halved(header.height, level), halved(header.width, level)
        macs += channels * rows * columns * (min(rows, BAND) + min(columns, BAND))
        values += 8 * channels * rows * columns
        basis += channels * WAVELET_TAPS * (rows**2 * (rows > 1) + columns**2 * (columns > 1))
    values += 4 * area * channels
    # Behind the columns of an image stands a zero.
    line = header.width + 1
    working, layers, block = -(-(4 * channels + 8) * line // header.width), 1, 0
    if header.synthesis_widths:
        first, last = header.synthesis_widths[0], header.synthesis_widths[-1]
        inner = sum(a * b for a, b in pairwise(header.synthesis_widths))
        surroundings = SYNTHESIS_KERNEL_TAPS * channels
        macs += area * (inner + surroundings * (first + last))
        # What lies side by side in the cache takes a fraction of what is gathered.
        values += area * (surroundings + sum(header.synthesis_widths) // 2 + 2 * channels)
        # Before the first row and after the last stand others.
        working += -(-3 * channels * line * (header.height + 2) // area)
        layers += len(header.synthesis_widths) + 1
        widest = max(surroundings, *header.synthesis_widths)
        block = layers * max(CHUNK_VALUES, widest * line)
    steps = 2 * header.num_levels * channels + layers
    return PixelCounts(macs, values, steps, basis, working, block)
