"""Renditions: an image drawn again with details that its symbols leave open.

A symbol says in which step of the quantiser a coefficient lies, not where. The context model knows
how far coefficients like it stray, so that a place in the step can be drawn from its own tables, by
a generator that every decoder shares: pictures with the fine texture that rounding took, at no bits
(docs/format.md, section 10). Film-grain synthesis does the same for video; here students see a
picture in many renditions instead of one that is too smooth.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

from ddcodec.codec.decode import render_batches
from ddcodec.codec.latents import LatentCoder, PlaneArray
from ddcodec.codec.stream import Content, context_of
from ddcodec.codec.surroundings import Latents
from ddcodec.entropy import tables
from ddcodec.entropy.laplace import SYMBOL_LIMIT, LaplaceModel
from ddcodec.errors import FormatError
from ddcodec.format.claims import check_claim, drawing_claim
from ddcodec.format.header import Header
from ddcodec.format.limits import DecodeLimits
from ddcodec.format.planes import PIXELS
from ddcodec.format.student_recipe import MAX_RENDITIONS, USUAL_DETAIL, StudentRecipe

SUBSTEPS = 16
"""Details are drawn in sixteenths of a step."""

SCALE_LIFT = 3 * tables.SCALES_PER_OCTAVE
"""Added to a scale index: four octaves for the sixteenths, one less because a strength of 8 stands
for details as strong as predicted."""

ZERO_REACH, OTHER_REACH = 12, 5
"""Largest detail of a symbol 0, whose step is wide, and of another, in sixteenths."""

LARGE_FILE_BYTES = 1_000_000
"""A file that may take as much as any, where nobody says how large it is."""

_DOMAIN = b"ddc rendition"


def draw_renditions(
    header: Header,
    content: Content,
    count: int,
    limits: DecodeLimits | None = None,
    file_bytes: int = LARGE_FILE_BYTES,
    numbers: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """Return images `count` times, count × N × C × H × W; the first is the image itself.

    Args:
        header: of the file.
        content: of the file; latents of sets without a wanted image may be missing.
        count: 1 … 64.
        limits: bounds on memory and work; None for the defaults.
        file_bytes: size of the file, by which the defaults go.
        numbers: of the images to draw, rising; None for all.

    Raises:
        FormatError: if that exceeds the limits, or pixels, which leave nothing open, are asked for
            more than one rendition.
    """
    check_renditions(header, count, limits or DecodeLimits(), file_bytes)
    # Those of an image lie together, as training sets have them.
    num_images = header.num_images if numbers is None else len(numbers)
    shape = (num_images, count, header.channels, header.height, header.width)
    images = np.empty(shape, dtype=np.uint8).swapaxes(0, 1)
    scales = [_scales(header, content, index) for index in range(header.num_sets)]
    strength = StudentRecipe.from_hints(header.hints).detail
    for rendition in range(count):
        drawn: Sequence[Latents] = content.latents
        if rendition:
            drawn = [
                detailed(latents, scales[index], rendition, index, strength)
                for index, latents in enumerate(content.latents)
            ]
        first = 0
        for batch in render_batches(header, content, drawn, numbers):
            images[rendition, first : first + len(batch)] = batch
            first += len(batch)
    return images


def check_renditions(header: Header, count: int, limits: DecodeLimits, file_bytes: int) -> None:
    """Refuse a number of renditions before anything is drawn.

    Raises:
        FormatError: if it is out of range or beyond the limits.
    """
    if not 1 <= count <= MAX_RENDITIONS:
        raise FormatError(f"An image has 1 to {MAX_RENDITIONS} renditions, not {count}.")
    if count == 1:
        return
    if header.synthesis_id == PIXELS:
        raise FormatError("Pixels are coded without loss and have one rendition only.")
    check_claim(header, file_bytes, limits, drawing_claim(header, file_bytes, count))


def detailed(
    latents: list[PlaneArray],
    scales: list[NDArray[np.int64]],
    rendition: int,
    set_index: int,
    strength: int = USUAL_DETAIL,
) -> list[NDArray[np.float64]]:
    """Return latents with the details of a rendition, multiples of 1/16.

    Args:
        latents: per plane of a set, N × h × w.
        scales: scale indices, likewise.
        rendition: from 1.
        set_index: of the network set.
        strength: 0 … 16, in eighths of an octave; above 8 because rounding with an eye on the rate
            makes zeros of coefficients that the tables then no longer expect.
    """
    planes = []
    for number, (symbols, scale) in enumerate(zip(latents, scales, strict=True)):
        uniforms = uniform_numbers(symbols.size, rendition, set_index, number)
        rows = np.minimum(scale.reshape(-1) + SCALE_LIFT + strength, tables.NUM_SCALES - 1)
        offsets = _residuals(rows, uniforms).reshape(symbols.shape)
        reach = np.where(symbols == 0, ZERO_REACH, OTHER_REACH)
        sixteenths = SUBSTEPS * symbols.astype(np.int64) + np.clip(offsets, -reach, reach)
        limit = SUBSTEPS * SYMBOL_LIMIT
        planes.append(np.clip(sixteenths, -limit, limit - SUBSTEPS) / SUBSTEPS)
    return planes


def uniform_numbers(count: int, rendition: int, set_index: int, plane: int) -> NDArray[np.int64]:
    """Return numbers of 0 … 2^24 − 1, the same in every decoder."""
    message = _DOMAIN + struct.pack("<3I", rendition, set_index, plane)
    data = np.frombuffer(shake_256(message).digest(3 * count), dtype=np.uint8)
    low, middle, high = data.reshape(-1, 3).T.astype(np.int64)
    return low | middle << 8 | high << 16


def _residuals(scale: NDArray[np.int64], uniforms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what a zero-mean table says of each number; 0 for an escape."""
    index = np.empty(len(scale), dtype=np.int64)
    for chosen in np.unique(scale):
        where = scale == chosen
        index[where] = np.searchsorted(_cumulative()[chosen], uniforms[where], side="right")
    return np.where(index == tables.ESCAPE, 0, tables.index_to_residual(index))


@lru_cache(maxsize=1)
def _cumulative() -> NDArray[np.int64]:
    """Return the ends of all intervals of the zero-mean table of each scale, 64 × 32."""
    zero_mean = slice(tables.MEAN_STEPS // 2, None, tables.MEAN_STEPS)
    ends: NDArray[np.int64] = np.cumsum(tables.laplace_frequencies()[zero_mean], axis=1)
    return ends


def _scales(header: Header, content: Content, set_index: int) -> list[NDArray[np.int64]]:
    """Return the scale index of every latent of a set, as the coder had it."""
    latents = content.latents[set_index]
    count = len(latents[0])
    if not count:
        return [np.zeros(plane.shape, dtype=np.int64) for plane in latents]
    context = context_of(header)
    network = context.exact(content.networks[set_index])
    coder = LatentCoder(context, network, LaplaceModel(), count)
    coarse_first = [coder.look_at(number, latents[number]) for number in range(len(latents))[::-1]]
    return coarse_first[::-1]
