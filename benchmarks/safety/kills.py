"""Kill commands with SIGKILL at random moments, go on, and compare what they end with.

For every way to make something: run it once undisturbed, then again and again with kills, each
followed by the command that goes on. What is there in the end, by SHA-256, and which files there
are, must be as after the undisturbed run; from the kills to the end no command may fail. Needs
fork, and takes a core for minutes: `make kills`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ways import Place, Way, asked


def main() -> None:
    """Run the ways that are asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="of each way")
    arguments, chosen = asked(parser)
    failures = kills = 0
    print(f"{'way':24} {'seconds':>7} {'kills':>5} {'rounds':>6}  outcome", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        place = Place.make(Path(name), chosen)
        for way in chosen:
            result = _try(way, place, arguments.kills, random.Random(arguments.seed))
            print(result, flush=True)
            kills += result.kills
            failures += len(result.faults)
    print(f"{kills} kills, {failures} faults")
    sys.exit(bool(failures))


@dataclass
class Result:
    """What became of a way."""

    way: Way
    seconds: float
    kills: int
    rounds: int
    faults: list[str]

    def __str__(self) -> str:
        outcome = "; ".join(self.faults) or "same bytes, same files"
        return f"{self.way.name:24} {self.seconds:7.1f} {self.kills:5} {self.rounds:6}  {outcome}"


def _try(way: Way, place: Place, kills: int, chance: random.Random) -> Result:
    """Run a way once undisturbed, then in rounds of up to eight kills and an end."""
    started = time.monotonic()
    place.begin(way)
    undisturbed = place.finish(way)
    seconds = time.monotonic() - started
    if undisturbed:
        return Result(way, seconds, 0, 0, [f"undisturbed: {place.last_line()}"])
    expected, result = place.state(), Result(way, seconds, 0, 0, [])
    while result.kills < kills and len(result.faults) < 3 and result.rounds < 2 * kills:
        place.begin(way)
        result.rounds += 1
        moments: list[str] = []
        code: int | None = None
        for _ in range(chance.randint(1, 8)):
            # A run that goes on is shorter, and to be killed before it ends.
            moment = chance.uniform(0.02, 0.35 if moments else 0.9) * seconds
            code = _after(way, place, moment)
            if code is not None:
                break
            moments.append(f"{moment:.2f}")
        result.kills += len(moments)
        if code := place.finish(way) if code is None else code:
            result.faults.append(f"exit {code} after {moments}: {place.last_line()}")
            continue
        result.faults += [f"{what} after {moments}" for what in place.differences(expected)]
    return result


def _after(way: Way, place: Place, moment: float) -> int | None:
    """Start a command and kill it after a while; return its code if it came to an end, or None."""
    process = place.start(way)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
