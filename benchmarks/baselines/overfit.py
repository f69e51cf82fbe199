"""Fit one image without a rate term: what the decoder could show if bits were free."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.context.neighbours import OWN_LEVEL
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.codec.pyramid.synthesis import PyramidSynthesis
from ddcodec.codec.quantizer import StraightThrough
from ddcodec.distill.latents.optimiser import LearningRates, Optimiser
from ddcodec.distill.latents.representation import Representation, unquantized
from ddcodec.distill.rate.allocation import pyramid_levels
from ddcodec.distill.rate.post_quantisation import quantise_networks

NO_RATE_ERROR_WEIGHT = 1e8
"""Bits a unit of squared error is worth when weights are quantised."""


@dataclass(frozen=True)
class OverfitImage:
    """One image, fitted and coded.

    Attributes:
        psnr_float: before weights are quantised and pixels rounded, in dB.
        psnr_decoded: of the decoded file, in dB.
        size_bytes: of the file.
    """

    psnr_float: float
    psnr_decoded: float
    size_bytes: int


def overfit_image(image: NDArray[np.uint8], widths: tuple[int, ...], steps: int) -> OverfitImage:
    """Fit, code and decode one image, C × H × W uint8.

    Args:
        image: the target.
        widths: hidden widths of the decoder.
        steps: gradient steps; the last quarter rounds hard.
    """
    channels, height, width = image.shape
    levels = pyramid_levels(height, width)
    synthesis = PyramidSynthesis(levels, widths, channels, height, width)
    representation = Representation(
        np.array([1]),
        np.array([0]),
        ContextModel(OWN_LEVEL, 8, 1, synthesis.planes),
        synthesis,
        seed=0,
        device=torch.device("cpu"),
    )
    target = (torch.from_numpy(image.copy())[None].float() + 0.5) / 256
    index = torch.zeros(1, dtype=torch.int64)
    rates = LearningRates(latents=(1.0, 0.02), networks=(1e-3, 1e-5))
    optimiser = Optimiser(representation, rates)
    for step in range(steps):
        progress = step / steps
        # Bits are free, so latents grow until rounding hardly matters: noise is not needed.
        quantizer = StraightThrough() if progress > 0.3 else unquantized
        rendering = representation.render(index, quantizer)
        # The context model only has to stay sane: a trace of its rate trains it.
        rate = rendering.rate_bits * 1e-9
        optimiser.step((rendering.images - target).square().mean() + rate, progress)
    with torch.no_grad():
        images = representation.render(index, StraightThrough()).images
    psnr_float = _psnr(256 * images.numpy()[0] - 0.5, image)
    return _code(representation, image, psnr_float)


def _code(
    representation: Representation, image: NDArray[np.uint8], psnr_float: float
) -> OverfitImage:
    channels = len(image)
    header = representation.header(mean=(128,) * channels, std=(64,) * channels)
    networks = quantise_networks(representation, NO_RATE_ERROR_WEIGHT)
    content = representation.to_content(representation.rounded_latents(), networks, None)
    encoded = encode_content(header, content)
    decoded = decode_bytes(encoded.data).images[0]
    return OverfitImage(psnr_float, _psnr(decoded, image), len(encoded.data))


def _psnr(image: NDArray[np.generic], target: NDArray[np.uint8]) -> float:
    error = float(np.mean((image.astype(np.float64) - target) ** 2))
    return 10 * log10(255**2 / max(error, 1e-12))
