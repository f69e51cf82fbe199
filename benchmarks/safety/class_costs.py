"""Measure what decoding one class of a file takes beside decoding all of it.

    python benchmarks/safety/class_costs.py k.ddc             # as it is
    python benchmarks/safety/class_costs.py k.ddc --sets 32   # as if groups of classes had networks

CPU seconds of one thread: reading all latents, drawing all pixels, the whole file with its
checksums, and the first, the middle and the last class alone. `--sets` codes the latents of a file
of one network set anew, in so many sets with copies of its networks.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ddcodec.codec.decode import DecodedSymbols, decode_bytes, decode_symbols, render_exact
from ddcodec.codec.encode import encode_content
from ddcodec.format.limits import UNBOUNDED


def in_sets(symbols: DecodedSymbols, num_sets: int) -> bytes:
    """Return a file with the same latents in so many sets of networks."""
    header, content = symbols.header, symbols.content
    if header.num_sets != 1:
        raise SystemExit("--sets takes a file of one network set")
    class_sets = np.arange(header.num_classes) * num_sets // header.num_classes
    set_of_image = class_sets.repeat(content.class_counts)
    latents = tuple(
        [plane[set_of_image == index] for plane in content.latents[0]] for index in range(num_sets)
    )
    grouped = replace(
        content, class_sets=class_sets, networks=content.networks * num_sets, latents=latents
    )
    return encode_content(replace(header, num_sets=num_sets), grouped).data


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Print a line for each way to decode the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--sets", type=int, metavar="N")
    arguments = parser.parse_args()
    data = arguments.file.read_bytes()
    symbols = decode_symbols(data, UNBOUNDED)
    if arguments.sets is not None:
        data = in_sets(symbols, arguments.sets)
        symbols = decode_symbols(data, UNBOUNDED)
    last = symbols.header.num_classes - 1
    works: dict[str, Callable[[], object]] = {
        "all latents": lambda: decode_symbols(data, UNBOUNDED),
        "all pixels": lambda: render_exact(symbols.header, symbols.content),
        "whole file": lambda: decode_bytes(data, UNBOUNDED),
    }
    for number in (0, last // 2, last):
        works[f"class {number}"] = lambda own=number: decode_bytes(data, UNBOUNDED, [own])  # type: ignore[misc]
    print(f"{len(data):,} bytes, {symbols.header.num_sets} sets of networks")
    for name, work in works.items():
        print(f"{name:>12} {seconds_of(work):6.2f} s", flush=True)


if __name__ == "__main__":
    main()
