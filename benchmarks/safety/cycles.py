"""Encode and decode again and again in one process: memory and open files must not grow.

    python benchmarks/safety/cycles.py                  # 2,000 cycles, a line every 200
    python benchmarks/safety/cycles.py --cycles 20000

A cycle takes one of the golden files (every decoder family, label mode and sharing in turn) with
each of its images 1 to 20 times, encodes that, and loads the file (from bytes, a path, an open file
in turn), then one class alone, then a damaged copy, which is refused. Every two hundredth cycle
also fits latents and networks to a few images, as `ddc encode` does. Sizes grow within 200 cycles
and begin anew, so that all lines of the table stand for about the same work. Beyond the warm-up
the process may grow by `MOST_GROWTH_BYTES` at any line and must have as many open files as then;
if not, the exit code is 1. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import ddcodec
from ddcodec.codec.decode import DecodedFile, decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.codec.stream import Content
from ddcodec.datasets import generate_glyphs
from ddcodec.datasets.given_images import load_given_images
from ddcodec.distill.given_set import encode_given_images

GOLDEN = sorted((Path(__file__).parents[2] / "tests" / "golden").glob("*.ddc"))
BLOCK = 200
"""Cycles from one line of the table to the next."""

MOST_REPEATS = 20
FIT_EVERY = 200
WARM_UP_BLOCKS = 2
MOST_GROWTH_BYTES = 8 << 20
"""Growth of resident memory after the warm-up that is allowed: what allocators keep differs by a
few MiB."""


def repeated(decoded: DecodedFile, times: int) -> bytes:
    """Return a file with every image of another so often."""
    content, soft = decoded.content, decoded.content.soft_labels
    if soft is not None:
        soft = replace(soft, logits=soft.logits.repeat(times, axis=0))
    more: Content = replace(
        content,
        class_counts=content.class_counts * times,
        latents=tuple([plane.repeat(times, axis=0) for plane in own] for own in content.latents),
        soft_labels=soft,
    )
    header = replace(decoded.header, num_images=times * decoded.header.num_images)
    return encode_content(header, more).data


def cycle(decoded: DecodedFile, times: int, folder: Path) -> int:
    """Encode once, decode in every way, and return the size of the file in bytes."""
    data = repeated(decoded, times)
    path = folder / "cycle.ddc"
    path.write_bytes(data)
    with path.open("rb") as stream:
        sources = (data, path, stream)
        training_set = ddcodec.load(sources[times % len(sources)])
    part = ddcodec.load(path, classes=[decoded.header.num_classes - 1])
    if len(training_set) != times * decoded.header.num_images or len(part) % times:
        raise RuntimeError("a file was decoded to another number of images")
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    path.write_bytes(damaged)
    with contextlib.suppress(ddcodec.FormatError):
        ddcodec.load(path)
        raise RuntimeError("a damaged file was decoded")
    return len(data)


def fit(seed: int, folder: Path) -> None:
    """Make a file of a few images of two classes and decode it."""
    drawn = generate_glyphs(4, seed, num_classes=2)
    path = folder / "images.npz"
    np.savez(path, images=drawn.images[:, :, ::4, ::4], labels=drawn.labels)
    recipe = ddcodec.Recipe(
        400, loss="none", fit_steps=8, synthesis="wavelet-2", seed=seed, multiplier=300.0
    )
    given = load_given_images(path, folder)
    ddcodec.load(encode_given_images(given, recipe).distilled.encoded.data)


def resident_bytes() -> int:
    """Return the memory that this process has in RAM."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def main() -> int:
    """Print the table; return 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cycles", type=int, default=2000, metavar="N")
    cycles = parser.parse_args().cycles
    if cycles < (WARM_UP_BLOCKS + 1) * BLOCK:
        parser.error(f"give at least {(WARM_UP_BLOCKS + 1) * BLOCK} cycles")
    kinds = [decode_bytes(path.read_bytes()) for path in GOLDEN]
    lines: list[tuple[int, int]] = []
    coded = 0
    print(f"{'cycles':>8}{'coded bytes':>14}{'resident MiB':>14}{'open files':>12}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for number in range(cycles):
            times = 1 + number % BLOCK * MOST_REPEATS // BLOCK
            coded += cycle(kinds[number % len(kinds)], times, Path(name))
            if number % FIT_EVERY == 0:
                fit(0, Path(name))
            if (number + 1) % BLOCK == 0:
                gc.collect()
                lines.append((resident_bytes(), open_files()))
                memory, files = lines[-1]
                print(f"{number + 1:>8}{coded:>14,}{memory / 2**20:>14.1f}{files:>12}", flush=True)
    (memory, files), later = lines[WARM_UP_BLOCKS - 1], lines[WARM_UP_BLOCKS:]
    growth = max(line[0] for line in later) - memory
    more_files = max(line[1] for line in later) - files
    print(
        f"after {WARM_UP_BLOCKS * BLOCK} cycles: {growth / 2**20:+.1f} MiB at most "
        f"(allowed {MOST_GROWTH_BYTES / 2**20:+.1f}), {more_files:+d} open files (allowed 0)"
    )
    return int(growth > MOST_GROWTH_BYTES or more_files > 0)


if __name__ == "__main__":
    sys.exit(main())
