"""Fuzz the decoder guided by coverage: PYTHONPATH=. python tests/hostile/coverage_guided.py FOLDER.

libFuzzer keeps in FOLDER every file that reaches new code of the package, and mutates these: half
of the time as bytes, half of the time as files (`mutations`). Its own options follow, such as
-max_total_time=1800; a find ends the run, and its bytes are written as crash-….
Needs the extra `fuzz`.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from random import Random
from types import FrameType

import atheris

with atheris.instrument_imports(include=["ddcodec"]):
    from examine import examine
    from mutations import golden_files, mutated, tiny_files

from file_parts import sealed
from fuzz import CPU_SECONDS, limit_memory


def one_input(data: bytes) -> None:
    """Examine one file; libFuzzer does not know how its checksum is made."""
    # Anew for every file: a process under atheris grows by 15 kB a file, one without it does not.
    limit_memory()
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    examine(sealed(data[:-4]))
    signal.setitimer(signal.ITIMER_PROF, 0)


def too_long(number: int, frame: FrameType | None) -> None:
    """End the decoding of a file.

    Raises:
        TimeoutError: always; libFuzzer writes the file down.
    """
    raise TimeoutError(f"more than {CPU_SECONDS} s of processor time")


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a mutation of a file, made by libFuzzer or by one who knows the format."""
    if seed % 2:
        return atheris.Mutate(data, max_size)
    rng = Random(seed)
    files = (data, data, data, *tiny_files())
    return mutated(files, rng)[:max_size]


def main() -> None:
    """Fuzz until a find, or as long as the options say."""
    folders = [Path(option) for option in sys.argv[1:] if not option.startswith("-")]
    for folder in folders[:1]:
        folder.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate((*tiny_files(), *golden_files())):
            (folder / f"seed-{number}").write_bytes(data)
    # The limit of libFuzzer is one of the clock on the wall, which a busy machine breaks.
    options = [f"-timeout={60 * CPU_SECONDS}", "-max_len=8192", "-len_control=0"]
    signal.signal(signal.SIGPROF, too_long)
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:]], one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
