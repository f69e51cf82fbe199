"""Where latents start: the wavelet transform of real images, rounded at a fitting step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.codec.wavelet.synthesis import Coefficients, WaveletSynthesis
from ddcodec.distill.latents.representation import Representation
from ddcodec.entropy.laplace import SYMBOL_LIMIT

ROUNDING_OFFSET = 0.35
"""|x| becomes floor(|x| + 0.35): small values are dearer to code than to lose."""

BITS_PER_SQUARED_STEP = 10.0
"""λ times the squared step; at high rates bits and squared error balance at 6 / ln 2 = 8.7."""

CONTEXT_GAIN = 0.92
"""Bits with a context model against bits at the zeroth-order entropy of every plane; measured."""

SAMPLE_IMAGES = 256
FINEST_STEP, COARSEST_STEP = 2.0**-9, 4.0
NUM_BISECTIONS = 14
_LARGEST = 255


def start_from_transform(
    representation: Representation, targets: NDArray[np.uint8], target_bits: float
) -> float:
    """Set latents, gains and colours so that images resemble their targets at about the rate.

    Args:
        representation: of a wavelet synthesis; changed in place.
        targets: N × C × H × W, uint8, in the order of the representation.
        target_bits: for all latents together.

    Returns:
        The step, in units of the pixel range 0 … 1.
    """
    coefficients = _coefficients(representation, targets)
    sizes = [plane.size for plane in representation.synthesis.planes]
    step = fitting_step(coefficients.values, sizes, target_bits)
    _set_at_step(representation, coefficients, step)
    return step


def start_at_step(representation: Representation, targets: NDArray[np.uint8], step: float) -> None:
    """Set latents, gains and colours at a step that is known; see `start_from_transform`."""
    _set_at_step(representation, _coefficients(representation, targets), step)


def _coefficients(representation: Representation, targets: NDArray[np.uint8]) -> Coefficients:
    synthesis = representation.synthesis
    assert isinstance(synthesis, WaveletSynthesis)
    return synthesis.analyse(targets, principal_colours(targets))


def _set_at_step(representation: Representation, coefficients: Coefficients, step: float) -> None:
    with torch.no_grad():
        rounded = _rounded(coefficients.values / np.float32(step))
        representation.latents.copy_(torch.from_numpy(rounded))
        for networks in representation.networks:
            networks["transform.gains"].fill_(step)
            _set_colours(networks, coefficients)


def wavelet_drift(representation: Representation, multiplier: float) -> float:
    """Return λ over its balance with the squared step; 1 for what has no steps."""
    gains = representation.networks[0].get("transform.gains")
    if gains is None:
        return 1.0
    return multiplier * float(gains.detach().square().mean()) / BITS_PER_SQUARED_STEP


def allowed_factor(representation: Representation, factor: float) -> float:
    """Return a factor of the steps that leaves none finer than `FINEST_STEP`; 1 changes nothing.

    Finer steps show in no pixel, and end as gains that a file cannot tell from 0.
    """
    gains = representation.networks[0].get("transform.gains")
    if gains is None or factor >= 1:
        return factor
    return min(1.0, max(factor, FINEST_STEP / float(gains.detach().abs().min())))


def rescale_steps(representation: Representation, wishes: torch.Tensor, factor: float) -> float:
    """Multiply all steps by a factor and round the latents anew; return the λ that fits.

    Args:
        representation: of a wavelet synthesis; changed in place.
        wishes: N × P, what latents should be at the present steps.
        factor: above 1 for coarser steps.
    """
    with torch.no_grad():
        for networks in representation.networks:
            networks["transform.gains"].mul_(factor)
        rounded = _rounded((wishes / factor).cpu().numpy())
        representation.latents.copy_(torch.from_numpy(rounded))
    gains = representation.networks[0]["transform.gains"].detach()
    return BITS_PER_SQUARED_STEP / float(gains.square().mean())


def principal_colours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the principal directions of pixels in colour space, C × C in columns."""
    pixels = images.transpose(1, 0, 2, 3).reshape(images.shape[1], -1).astype(np.float64)
    covariance = np.atleast_2d(np.cov(pixels))
    _, vectors = np.linalg.eigh(covariance)
    vectors = vectors[:, ::-1]
    signs = np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)
    directions: NDArray[np.float64] = vectors * signs
    return directions


def fitting_step(values: NDArray[np.float32], sizes: list[int], target_bits: float) -> float:
    """Return the step at which rounded coefficients take about the target rate.

    Args:
        values: N × P, coefficients.
        sizes: of the planes, which are P together.
        target_bits: for all N images.
    """
    stride = max(1, len(values) // SAMPLE_IMAGES)
    sample = values[::stride]
    wanted = target_bits * len(sample) / len(values) / CONTEXT_GAIN
    low, high = np.log(FINEST_STEP), np.log(COARSEST_STEP)
    for _ in range(NUM_BISECTIONS):
        middle = (low + high) / 2
        if _entropy_bits(_rounded(sample / np.float32(np.exp(middle))), sizes) > wanted:
            low = middle
        else:
            high = middle
    return float(np.exp(high))


def _rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    limit = SYMBOL_LIMIT - 1
    magnitude = np.minimum(np.floor(np.abs(values) + np.float32(ROUNDING_OFFSET)), limit)
    result: NDArray[np.float32] = np.copysign(magnitude, values) + 0
    return result


def _entropy_bits(rounded: NDArray[np.float32], sizes: list[int]) -> float:
    """Return the zeroth-order entropy of every plane, summed; far outliers count as one value."""
    total = 0.0
    for part in np.split(rounded, np.cumsum(sizes)[:-1], axis=1):
        clipped = np.clip(part, -_LARGEST, _LARGEST).astype(np.int64) + _LARGEST
        counts = np.bincount(clipped.reshape(-1))
        counts = counts[counts > 0]
        total += float((counts * np.log2(counts.sum() / counts)).sum()) if len(counts) else 0.0
    return total


def _set_colours(networks: dict[str, torch.Tensor], coefficients: Coefficients) -> None:
    weight, bias = networks["synthesis.colour.weight"], networks["synthesis.colour.bias"]
    weight.copy_(torch.from_numpy(coefficients.colours.copy()))
    bias.copy_(torch.from_numpy(coefficients.mean))
