"""Let commands meet disks that take nothing or not everything, and compare what is left.

For every way to make something: run it on a disk that fills up half-way, in files that may not
pass a size, on a disk that is read-only, and as a user whom the folder does not belong to. It must
end with a sentence and without litter, and once there is room, the command that goes on must end in
the bytes of an undisturbed run. Full and read-only disks are mounted, which needs root on Linux;
so does running as somebody else. `make disks`.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ways import Place, Way, asked

NOBODY = 65534
PAGE = 4096
ROOMY = 2**30


@dataclass(frozen=True)
class Obstacle:
    """A disk that something is wrong with.

    Attributes:
        name: in the table.
        begin: makes it so.
        end: makes it well again.
        in_process: what the command's own process does first.
        is_final: whether nothing can be written at all.
    """

    name: str
    begin: Callable[[], None] = lambda: None
    end: Callable[[], None] = lambda: None
    in_process: Callable[[], None] | None = None
    is_final: bool = False


def main() -> None:
    """Run the ways that are asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", type=int, default=4, help="of each kind of full disk, and way")
    arguments, chosen = asked(parser)
    runs = failures = 0
    with tempfile.TemporaryDirectory(prefix="disks-") as name:
        Path(name).chmod(0o755)
        place = Place.make(Path(name), chosen)
        place.work.mkdir()
        can_mount = os.geteuid() == 0 and _mount(place.work, ROOMY)
        print("" if can_mount else "Nothing is mounted: that needs root on Linux.", flush=True)
        try:
            for way in chosen:
                chance = random.Random(arguments.seed)
                done, faults = _try(way, place, arguments.full, chance, can_mount)
                print(
                    f"{way.name:24} {done:5}  {'; '.join(faults) or 'as it should be'}", flush=True
                )
                runs += done
                failures += len(faults)
        finally:
            if can_mount:
                subprocess.run(["umount", str(place.work)], check=True)
    print(f"{runs} runs, {failures} faults")
    sys.exit(bool(failures))


def _try(
    way: Way, place: Place, full: int, chance: random.Random, can_mount: bool
) -> tuple[int, list[str]]:
    """Run a way undisturbed, then with every obstacle; return how often, and what was wrong."""
    place.begin(way)
    before = _bytes_below(place.work)
    if place.finish(way):
        return 1, [f"undisturbed: {place.last_line()}"]
    expected, faults, runs = place.state(), list[str](), 0
    made = _bytes_below(place.work) - before
    new = [path for path in place.work.rglob("*") if path.is_file()]
    new = [path for path in new if not (place.base / path.relative_to(place.work)).exists()]
    largest = max((path.stat().st_size for path in new), default=1000)
    for obstacle in _obstacles(place, before, made, largest, full, chance, can_mount):
        place.begin(way)
        obstacle.begin()
        try:
            faults += _meet(way, place, obstacle)
        finally:
            obstacle.end()
        runs += 1
        if code := place.finish(way):
            faults.append(f"exit {code} after {obstacle.name}: {place.last_line()}")
        faults += [f"{what} after {obstacle.name}" for what in place.differences(expected)]
    return runs, faults


def _obstacles(
    place: Place,
    before: int,
    made: int,
    largest: int,
    full: int,
    chance: random.Random,
    can_mount: bool,
) -> Iterator[Obstacle]:
    def resized(size: int) -> Callable[[], None]:
        return lambda: _remount(place.work, f"size={size}")

    for share in chance.sample(range(1, 100), full):
        limit = share * largest // 100
        yield Obstacle(f"files of {limit} bytes", in_process=_limited(limit))
    if not can_mount:
        return
    roomy = resized(ROOMY)
    for share in chance.sample(range(0, 100), full):
        room = before + share * made // 100
        yield Obstacle(f"a disk of {room} bytes", resized(room), roomy)
    yield Obstacle(
        "a read-only disk",
        lambda: _remount(place.work, "ro"),
        lambda: _remount(place.work, "rw"),
        is_final=True,
    )
    yield Obstacle("somebody else's folder", in_process=lambda: os.setuid(NOBODY), is_final=True)


def _meet(way: Way, place: Place, obstacle: Obstacle) -> Iterator[str]:
    """Run a way against an obstacle, and yield what is not as it should be."""
    untouched = _files(place.work)
    code = place.finish(way, obstacle.in_process)
    if code not in (0, 1) or (code and not place.last_line().startswith("ddc: ")):
        yield f"exit {code} with {obstacle.name}: {place.last_line()}"
    found = _files(place.work)
    if left := [name for name in found if name.endswith(".partial")]:
        yield f"{left} left over with {obstacle.name}"
    if obstacle.is_final and found != untouched:
        yield f"{obstacle.name} was written to"
    if obstacle.is_final and way.output and not code:
        yield f"exit 0 with {obstacle.name}"


def _limited(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def _bytes_below(folder: Path) -> int:
    """Return what a disk needs for a folder: whole pages, and one for each name."""
    sizes = [path.stat().st_size if path.is_file() else 0 for path in folder.rglob("*")]
    return sum(-(-size // PAGE) * PAGE for size in sizes)


def _mount(folder: Path, size: int) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


if __name__ == "__main__":
    main()
