"""Time encoding and decoding of whole files, pixels included; medians over repeats, CPU seconds.

    OMP_NUM_THREADS=1 python benchmarks/speed/codec.py  # the table of docs/results/speed.md
    python benchmarks/speed/codec.py --growth   # how the cost grows with images and with resolution

Content is random with a realistic spread, so that sizes and times are those of real files.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from ddcodec.codec.decode import decode_bytes, render_exact
from ddcodec.codec.encode import encode_content
from ddcodec.codec.parameters import quantize
from ddcodec.codec.stream import Content, context_of, synthesis_of, walk
from ddcodec.codec.synthesis import WAVELET_FAMILY, parse_decoder
from ddcodec.entropy.range_coder import RangeDecoder
from ddcodec.format.header import Header
from ddcodec.format.planes import PYRAMID, WAVELET_HALF_CHROMA

REPEATS = 5


PYRAMID_SPREAD = 0.4
WAVELET_SPREADS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Laplace scales of the levels of a wavelet, the finest first; much like real files of 10 kB."""


def make_content(num_images: int, side: int, decoder: str) -> tuple[Header, Content]:
    """Return a set of one class with Laplace latents and random networks."""
    choice = parse_decoder(decoder)
    wavelet = choice.family == WAVELET_FAMILY
    header = Header(
        num_classes=1,
        num_images=num_images,
        height=side,
        width=side,
        channels=3,
        num_levels=5 if wavelet else 6,
        num_sets=1,
        context_id=3 if wavelet else 2,
        context_width=24 if wavelet else 16,
        context_depth=2,
        synthesis_id=WAVELET_HALF_CHROMA if wavelet else PYRAMID,
        synthesis_widths=choice.widths,
        label_mode=0,
        mean=(128,) * 3,
        std=(64,) * 3,
        hints=(),
        has_class_names=False,
    )
    generator = torch.Generator().manual_seed(0)
    random = np.random.default_rng(0)
    weights = context_of(header).initial_parameters(generator)
    weights |= synthesis_of(header).initial_parameters(generator)
    tensors = {name: quantize(value.numpy(), 8) for name, value in weights.items()}
    latents = [
        np.rint(
            random.laplace(
                0,
                WAVELET_SPREADS[plane.level] if wavelet else PYRAMID_SPREAD,
                (num_images, plane.rows, plane.columns),
            )
        ).astype(np.int16)
        for plane in header.planes
    ]
    return header, Content(np.array([num_images]), None, np.array([0]), (tensors,), (latents,))


def measure(num_images: int, side: int, decoder: str) -> dict[str, float]:
    """Return median CPU seconds of encoding, decoding and its two parts."""
    header, content = make_content(num_images, side, decoder)
    times: dict[str, list[float]] = {"encode": [], "decode": [], "symbols": [], "pixels": []}
    data = b""
    for _ in range(REPEATS):
        started = time.process_time()
        data = encode_content(header, content).data
        times["encode"].append(time.process_time() - started)
        started = time.process_time()
        decoded = decode_bytes(data)
        times["decode"].append(time.process_time() - started)
        started = time.process_time()
        walk(RangeDecoder(decoded.container.payload), header, None)
        times["symbols"].append(time.process_time() - started)
        started = time.process_time()
        render_exact(header, content)
        times["pixels"].append(time.process_time() - started)
    result = {name: statistics.median(values) for name, values in times.items()}
    result["symbols_per_second"] = header.num_symbols / result["symbols"]
    result["file_bytes"] = len(data)
    return result


def main() -> None:
    """Print one line per setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--synthesis", default="v3-2", help="v3-2, wavelet-16, …")
    settings = [(640, 32), (100, 128)]
    arguments = parser.parse_args()
    if arguments.growth:
        settings = [(n, 32) for n in (40, 160, 640, 2560)] + [(20, s) for s in (32, 64, 128, 256)]
    print("images  side  file bytes  encode s  decode s  symbols s  pixels s  Msymbols/s")
    for num_images, side in settings:
        row = measure(num_images, side, arguments.synthesis)
        print(
            f"{num_images:6}  {side:4}  {row['file_bytes']:10.0f}  {row['encode']:8.2f}  "
            f"{row['decode']:8.2f}  {row['symbols']:9.2f}  {row['pixels']:8.2f}  "
            f"{row['symbols_per_second'] / 1e6:10.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
