"""Make a large tree of small JPEG files of mixed sizes, and measure what using it takes.

    python benchmarks/safety/large_tree.py make TREE                # 200,000 files in 100 classes
    python benchmarks/safety/large_tree.py make PHOTOS --files 1000 --sides 400 600
    python benchmarks/safety/large_tree.py rates TREE --size 16     # images per second
    python benchmarks/safety/large_tree.py cost -- ddc datasets TREE --size 16 --cache-limit 10M

`rates` compares Pillow alone (open, convert, resize; one thread) with what `ddc` reads when images
are wanted, by one thread and by as many as there are cores. `cost` prints the seconds and the peak
memory of a command, and what it left in an empty cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

ROUNDS = 6
_COARSE = 9


def make(tree: Path, num_files: int, num_classes: int, sides: list[int], seed: int) -> None:
    """Write files of coarse noise; a class has a colour, an image its size and its noise."""
    random = np.random.default_rng(seed)
    colours = random.integers(40, 216, (num_classes, 3))
    for name in range(num_classes):
        (tree / f"{name:03d}").mkdir(parents=True, exist_ok=True)
    for number in range(num_files):
        label = number % num_classes
        noise = random.normal(0, 30, (_COARSE, _COARSE, 3)) + colours[label]
        width, height = random.integers(sides[0], sides[1] + 1, 2).tolist()
        image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        image.save(tree / f"{label:03d}" / f"{number:07d}.jpg", quality=85)


def rates(tree: Path, size: int, count: int, most_threads: int | None) -> None:
    """Print images per CPU second of Pillow alone and of the on-demand reader, at their best."""
    from ddcodec.datasets.streamed.decoding import EncodedImage, decode_each, usable_cores
    from ddcodec.datasets.trees.image import decode_image
    from ddcodec.datasets.trees.resize import ImageSize

    files = sorted(tree.rglob("*.jpg"))
    files = [files[row] for row in np.random.default_rng(1).permutation(len(files))[:count]]
    wanted = ImageSize.of(size)

    def by_pillow() -> None:
        for file in files:
            with Image.open(file) as image:
                pixels = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
            np.asarray(pixels)

    def by_threads(threads: int) -> None:
        jobs = (EncodedImage(0, str(file), file.read_bytes(), 1) for file in files)
        decode_each(
            jobs,
            lambda job: decode_image(job.data, job.path, 3, wanted),
            lambda job, pixels: None,
            threads,
        )

    ways = {"Pillow alone": by_pillow}
    for threads in sorted({1, most_threads or usable_cores()}):
        ways[f"on demand, threads: {threads}"] = partial(by_threads, threads)
    by_pillow()  # Files are in memory from here on.
    taken = dict.fromkeys(ways, float("inf"))
    # In turns, since other work comes and goes.
    for _ in range(ROUNDS):
        for name, work in ways.items():
            before = time.process_time()
            work()
            taken[name] = min(taken[name], time.process_time() - before)
    print(f"{len(files):,} files of {sum(file.stat().st_size for file in files):,} bytes")
    for name, seconds in taken.items():
        share = taken["Pillow alone"] / seconds
        print(f"{name}: {len(files) / seconds:,.0f} images per CPU second, {share:.2f} of Pillow")


def cost(command: list[str]) -> int:
    """Run a command with an empty cache, twice, and print what each run took."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "DDC_CACHE": cache}
        for name in ("first", "second"):
            started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            # A child of its own for each run: the peak is that of the largest of all children.
            code = (
                "import resource, subprocess, sys\n"
                "status = subprocess.call(sys.argv[1:])\n"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
                "sys.exit(status)"
            )
            done = subprocess.run(
                [sys.executable, "-c", code, *command], env=environment, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                print(done.stderr, end="")
                return done.returncode
            *said, peak = done.stdout.strip().splitlines()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            kept = sum(file.stat().st_size for file in Path(cache).rglob("*") if file.is_file())
            print(
                f"{name}: {time.monotonic() - started:.0f} s, {cpu:.0f} CPU s, "
                f"peak {int(peak) / 1024:,.0f} MiB, {kept / 1e6:,.1f} MB in the cache"
            )
    print("\n".join(said))
    print(done.stderr, end="", file=sys.stderr)
    return 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("tree", type=Path)
    making.add_argument("--files", type=int, default=200_000)
    making.add_argument("--classes", type=int, default=100)
    making.add_argument(
        "--sides", type=int, nargs=2, default=[32, 160], help="pixels, the shortest and longest"
    )
    making.add_argument("--seed", type=int, default=0)
    rating = commands.add_parser("rates")
    rating.add_argument("tree", type=Path)
    rating.add_argument("--size", type=int, default=16)
    rating.add_argument("--count", type=int, default=20_000)
    rating.add_argument("--threads", type=int, help="at most; by default one for each core")
    costing = commands.add_parser("cost")
    costing.add_argument("words", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.command == "make":
        make(asked.tree, asked.files, asked.classes, asked.sides, asked.seed)
    elif asked.command == "rates":
        rates(asked.tree, asked.size, asked.count, asked.threads)
    else:
        return cost([word for word in asked.words if word != "--"])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
