"""Fuzz the decoder: PYTHONPATH=. python tests/hostile/fuzz.py --mutations 1000000.

A child process decodes mutation after mutation under the default limits. It may take 1 GiB of
address space beyond what it has after its imports, and 5 seconds of processor time for each file.
Whatever is neither refused nor decoded in full is a find: its bytes are written to a folder, with
what happened, and the fuzzing goes on.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import signal
import struct
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

from examine import examine
from mutations import cheap_giant, golden_files, mutation, tiny_files

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 5
MOST_FILE_BYTES = 1 << 20
GIANTS_EVERY = 1000
GOLDEN_EVERY = 100

_STATE = struct.Struct("<4q")


@dataclass
class State:
    """What parent and child share: a file that survives the death of the child.

    Attributes:
        memory: numbers of the mutation at work, of refused and of decoded files, and the length of
            the file at work, whose bytes follow.
    """

    memory: mmap.mmap

    @classmethod
    def at(cls, path: Path) -> State:
        """Open the state, made if it is not there."""
        size = _STATE.size + MOST_FILE_BYTES
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(handle, size)
        memory = mmap.mmap(handle, size)
        os.close(handle)
        return cls(memory)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Mutation at work, refused, decoded, length of the file."""
        return _STATE.unpack_from(self.memory)

    def begin(self, number: int, data: bytes) -> None:
        """Note the file that is examined next."""
        _, refused, decoded, _ = self.numbers
        self.memory[_STATE.size : _STATE.size + len(data)] = data
        _STATE.pack_into(self.memory, 0, number, refused, decoded, len(data))

    def end(self, number: int, outcome: str) -> None:
        """Note how it ended, and that the next mutation is due."""
        _, refused, decoded, length = self.numbers
        refused, decoded = refused + (outcome == "refused"), decoded + (outcome == "decoded")
        _STATE.pack_into(self.memory, 0, number + 1, refused, decoded, length)

    @property
    def data(self) -> bytes:
        """The file at work."""
        return self.memory[_STATE.size : _STATE.size + self.numbers[3]]


def made(seed: int, number: int) -> bytes:
    """Return mutation `number`: mostly of tiny files, some of golden ones, a few giants."""
    if number % GIANTS_EVERY == GIANTS_EVERY - 1:
        return cheap_giant(Random(f"giant {seed}/{number}"))
    files = golden_files() if number % GOLDEN_EVERY == GOLDEN_EVERY - 1 else tiny_files()
    return mutation(seed, number, files)


def child(seed: int, first: int, end: int, folder: Path) -> None:
    """Examine mutations one after another; errors are written down, a death is for the parent."""
    state = State.at(folder / "state")
    for data in (*tiny_files(), *golden_files()):
        assert examine(data) == "decoded"
    limit_memory()
    for number in range(first, end):
        data = made(seed, number)
        state.begin(number, data)
        # No handler: the process ends wherever it is, in the middle of a library, too.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            outcome = examine(data)
        except Exception:
            outcome = "error"
            write_find(folder, seed, number, data, traceback.format_exc())
        signal.setitimer(signal.ITIMER_PROF, 0)
        state.end(number, outcome)


def limit_memory() -> None:
    """Forbid this process more than `MEMORY_BYTES` of address space beyond what it has now."""
    baseline_pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = baseline_pages * resource.getpagesize() + MEMORY_BYTES
    _, hard_limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard_limit))


def write_find(folder: Path, seed: int, number: int, data: bytes, what: str) -> None:
    """Keep the bytes of a find, and what happened."""
    (folder / f"{seed}-{number}.ddc").write_bytes(data)
    (folder / f"{seed}-{number}.txt").write_text(what)


def fuzz(seed: int, first: int, end: int, folder: Path) -> tuple[int, int]:
    """Run children until all mutations are done; return how many were refused and decoded."""
    folder.mkdir(parents=True, exist_ok=True)
    state = State.at(folder / "state")
    _STATE.pack_into(state.memory, 0, first, 0, 0, 0)
    started, number = time.monotonic(), first
    while number < end:
        command = [sys.executable, __file__, "--child", "--seed", seed, "--first", number]
        command += ["--mutations", end - number, "--finds", folder]
        code = subprocess.run([str(part) for part in command], check=False).returncode
        number, refused, decoded, _ = state.numbers
        if code:
            if number == first and not refused + decoded and not state.data:
                raise SystemExit(f"the fuzzer itself failed with exit status {code}")
            reason = "took too long" if code == -signal.SIGPROF else f"exit status {code}"
            write_find(folder, seed, number, state.data, f"The decoder died: {reason}.\n")
            print(f"{number}: {reason}", flush=True)
            number += 1
            _STATE.pack_into(state.memory, 0, number, refused, decoded, 0)
    print(f"{time.monotonic() - started:.0f} s")
    return refused, decoded


def main() -> None:
    """Fuzz as the command line says; the exit status is 1 after any find."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--finds", type=Path, default=Path("finds"), help="folder for finds")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    end = options.first + options.mutations
    if options.child:
        child(options.seed, options.first, end, options.finds)
        return
    refused, decoded = fuzz(options.seed, options.first, end, options.finds)
    finds = len(list(options.finds.glob(f"{options.seed}-*.ddc")))
    print(
        f"seed {options.seed}: {options.mutations} mutations, {refused} refused, "
        f"{decoded} decoded in full, {finds} finds in {options.finds}"
    )
    sys.exit(finds > 0)


if __name__ == "__main__":
    main()
