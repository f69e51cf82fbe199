"""Coded size against known entropy, and the context model against simpler ones on real latents.

    python benchmarks/known_entropy.py                 # sources of known entropy
    python benchmarks/known_entropy.py --file x.ddc    # latents of a fitted file, model by model

Each source fills one level of 32×32 for 256 images. The context model is fitted to it by gradient
descent, quantised and really coded; the bits of its weights are listed apart.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ddcodec.codec.context.context import ContextModel
from ddcodec.codec.context.neighbours import COARSER_LEVEL, OWN_LEVEL, WAVELET_BANDS
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.latents import LatentCoder
from ddcodec.codec.parameters import NetworkTensors, coded_bits, quantize
from ddcodec.entropy.laplace import LaplaceModel
from ddcodec.entropy.range_coder import RangeEncoder
from ddcodec.format.planes import PYRAMID, planes_of

Latents = list[NDArray[np.int16]]
SIDE, IMAGES = 32, 256


def laplace_source(scale: float) -> tuple[Latents, float]:
    """Independent rounded Laplace values; entropy from the exact probabilities."""
    random = np.random.default_rng(0)
    values = np.rint(random.laplace(0, scale, (IMAGES, SIDE, SIDE)))
    return [values.astype(np.int16)], float(_laplace_bits(values, 0.0, scale).sum())


def markov_source(coupling: float, scale: float) -> tuple[Latents, float]:
    """Each value is Laplace around `coupling` times the mean of its left and upper neighbours."""
    random = np.random.default_rng(1)
    field = np.zeros((IMAGES, SIDE + 1, SIDE + 1))
    bits = 0.0
    for y in range(1, SIDE + 1):
        for x in range(1, SIDE + 1):
            loc = coupling * (field[:, y, x - 1] + field[:, y - 1, x]) / 2
            field[:, y, x] = np.rint(random.laplace(loc, scale))
            bits += float(_laplace_bits(field[:, y, x], loc, scale).sum())
    return [field[:, 1:, 1:].astype(np.int16)], bits


def gaussian_source(deviation: float) -> tuple[Latents, float]:
    """Independent rounded Gaussian values: outside the family."""
    random = np.random.default_rng(2)
    values = np.rint(random.normal(0, deviation, (IMAGES, SIDE, SIDE))).astype(np.int16)
    return [values], _empirical_bits(values)


def two_valued_source() -> tuple[Latents, float]:
    """Values −3 and 3, each with probability one half: outside the family."""
    random = np.random.default_rng(3)
    values = (6 * random.integers(0, 2, (IMAGES, SIDE, SIDE)) - 3).astype(np.int16)
    return [values], float(values.size)


def checkerboard() -> tuple[Latents, float]:
    """A pattern without any information."""
    y, x = np.mgrid[:SIDE, :SIDE]
    board = (2 * ((x + y) % 2)).astype(np.int16)
    return [np.broadcast_to(board, (IMAGES, SIDE, SIDE)).copy()], 0.0


def stripes() -> tuple[Latents, float]:
    """Rows of rising value, the same in every image."""
    rows = np.arange(SIDE, dtype=np.int16)[:, None] // 4
    return [np.broadcast_to(rows, (IMAGES, SIDE, SIDE)).copy()], 0.0


SOURCES: dict[str, tuple[bool, Callable[[], tuple[Latents, float]]]] = {
    **{f"Laplace {b}": (True, partial(laplace_source, b)) for b in (0.1, 0.3, 1.0, 3.0)},
    "Markov 0.8, scale 0.5": (True, lambda: markov_source(0.8, 0.5)),
    "Markov 0.5, scale 1.5": (True, lambda: markov_source(0.5, 1.5)),
    "checkerboard": (False, checkerboard),
    "stripes": (False, stripes),
    "Gaussian 1": (False, lambda: gaussian_source(1.0)),
    "two values": (False, two_valued_source),
}


def _laplace_bits(
    values: NDArray[np.floating], loc: float | NDArray[np.floating], scale: float
) -> NDArray[np.floating]:
    def cdf(x: NDArray[np.floating]) -> NDArray[np.floating]:
        left, right = np.exp(np.minimum(x, 0)) / 2, 1 - np.exp(-np.maximum(x, 0)) / 2
        share: NDArray[np.floating] = np.where(x < 0, left, right)
        return share

    upper, lower = (values + 0.5 - loc) / scale, (values - 0.5 - loc) / scale
    # Far from the centre both sides are nearly 1: mirror them to keep their difference.
    mass = np.where(lower > 0, cdf(-lower) - cdf(-upper), cdf(upper) - cdf(lower))
    bits: NDArray[np.floating] = -np.log2(mass)
    return bits


def _empirical_bits(values: NDArray[np.int16]) -> float:
    _, counts = np.unique(values, return_counts=True)
    return float(-(counts * np.log2(counts / counts.sum())).sum())


def fit_context(latents: Latents, model: ContextModel, steps: int = 600) -> NetworkTensors:
    """Train a context model on integer latents and quantise it."""
    generator = torch.Generator().manual_seed(0)
    parameters = model.initial_parameters(generator)
    for value in parameters.values():
        value.requires_grad_()
    optimiser = torch.optim.Adam(parameters.values(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    flat = np.concatenate([plane.reshape(len(plane), -1) for plane in latents], axis=1)
    rows = torch.from_numpy(flat.astype(np.float32))
    for _ in range(steps):
        chosen = torch.randint(len(rows), (32,), generator=generator)
        estimate = model.estimate_flat(parameters, rows[chosen])
        rate = estimate.rate_bits(LaplaceModel()).mean()
        optimiser.zero_grad()
        rate.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return {name: quantize(value.detach().numpy(), 10) for name, value in parameters.items()}


def coded_latent_bytes(latents: Latents, tensors: NetworkTensors, model: ContextModel) -> int:
    """Really code latents with a quantised context model; bytes of the stream."""
    coder = RangeEncoder()
    latent_coder = LatentCoder(model, model.exact(tensors), LaplaceModel(), len(latents[0]))
    for number in reversed(range(len(latents))):
        latent_coder.code(coder, number, latents[number])
    return len(coder.payload())


def compare_sources() -> None:
    """Print coded bytes against entropy for every source."""
    print(
        "source                   entropy B    coded B   excess %   weights B   inside 1 % + 30 B"
    )
    for name, (inside, source) in SOURCES.items():
        latents, entropy_bits = source()
        model = ContextModel(OWN_LEVEL, 16, 2, planes_of(PYRAMID, 1, 1, SIDE, SIDE))
        tensors = fit_context(latents, model)
        coded = coded_latent_bytes(latents, tensors, model)
        weights = sum(coded_bits(tensor) for tensor in tensors.values()) / 8
        entropy = entropy_bits / 8
        excess = f"{100 * (coded / entropy - 1):.2f}" if entropy else "-"
        met = "yes" if coded <= 1.01 * entropy + 30 else "no"
        verdict = met if inside or not entropy else f"{met} (outside the family)"
        print(f"{name:22} {entropy:11.0f} {coded:10d} {excess:>10} {weights:11.0f}   {verdict}")


def compare_models(path: Path) -> None:
    """Print the bytes that four entropy models spend on the latents of a file."""
    decoded = decode_bytes(path.read_bytes())
    latents = list(decoded.content.latents[0])
    everything = np.concatenate([level.ravel() for level in latents]).astype(np.float64)
    deviation = max(everything.std(), 0.05)
    edges = torch.from_numpy((everything[:, None] + np.array([-0.5, 0.5])) / deviation)
    mass = torch.special.ndtr(edges).diff(dim=1).clamp(min=2**-24)
    print(f"{'fixed Gaussian':42} {float(-mass.log2().sum()) / 8:9.0f} B (ideal)")
    factorised = sum(_empirical_bits(level) for level in latents) / 8
    print(f"{'factorised, one per plane':42} {factorised:9.0f} B (ideal, histograms not counted)")
    header = decoded.header
    models = {"own plane, 16 wide": (OWN_LEVEL, 16)}
    if header.synthesis_id == PYRAMID:
        models["with the coarser level, 16 wide"] = (COARSER_LEVEL, 16)
    else:
        models |= {f"with bands and colours, {w} wide": (WAVELET_BANDS, w) for w in (8, 16, 24, 32)}
    for name, (context_id, width) in models.items():
        model = ContextModel(context_id, width, 2, header.planes)
        tensors = fit_context(latents, model, steps=1500)
        coded = coded_latent_bytes(latents, tensors, model)
        weights = sum(coded_bits(tensor) for tensor in tensors.values()) / 8
        print(
            f"{'context, ' + name:42} {coded:9d} B coded + {weights:.0f} B of weights", flush=True
        )


def main() -> None:
    """Compare sources, or models on one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="a .ddc with one network set")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    if arguments.file:
        compare_models(arguments.file)
    else:
        compare_sources()


if __name__ == "__main__":
    main()
