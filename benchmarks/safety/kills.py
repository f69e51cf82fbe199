"""Kill commands with SIGKILL at random moments, go on, and compare what they end with.

For every way to make something: run it once undisturbed, then again and again with kills, each
followed by the command that goes on. What is there in the end, by SHA-256, and which files there
are, must be as after the undisturbed run; from the kills to the end no command may fail. Then the
same with files that may not pass a size, which is what a full disk looks like. Needs fork, and
takes a core for minutes: `make kills`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import torch._dynamo  # noqa: F401 - seconds of every process, and no part of what is killed
from PIL import Image

from ddcodec.cli import ddc
from ddcodec.cli.making import watching
from ddcodec.datasets import generate_glyphs
from ddcodec.distill import distill as _distill  # noqa: F401 - loaded once, before all forks
from ddcodec.distill.labels import making
from ddcodec.distill.running.progress import Supervision
from ddcodec.evaluation import judge as _judge  # noqa: F401 - likewise
from ddcodec.evaluation import protocols
from ddcodec.evaluation.students import unfinished
from ddcodec.kept import training
from ddcodec.kept.seal import checked_json

KEPT_EVERY_SECONDS = 0.2
"""In place of a minute, so that a run of seconds is kept many times."""

CLASSES, PER_CLASS, SIDE = 3, 12, 16
SMALL = ["--fit-steps", "8", "--synthesis", "wavelet-2"]
QUICK = [*SMALL, "--bpc", "400", "--spc", "2", "--lambda", "300"]
"""A fixed λ spares the search for a size, which is much of a short run."""

RUN = [*QUICK, "--steps", "6", "--pool", "random", "--no-validate"]
LANDED = [*SMALL, "--bpc", "200", "--spc", "2"]
LABELED = [*QUICK, "--bpc", "8k", "--labeler-epochs", "4"]
NETWORKS = ["--width", "4", "--count", "2"]


@dataclass(frozen=True)
class Way:
    """Something that is made.

    Attributes:
        name: in the table.
        words: of the command, without where it writes.
        output: what it writes, a file or folder.
        resumes: whether it goes on by --resume, once there is a checkpoint.
        before: ways whose outputs it needs.
        from_empty_cache: whether the dataset is to be decoded again every time.
    """

    name: str
    words: tuple[str, ...]
    output: str = "out.ddc"
    resumes: bool = True
    before: tuple[str, ...] = ()
    from_empty_cache: bool = False


def _ways() -> list[Way]:
    def distilled(name: str, *words: str, before: tuple[str, ...] = (), small: Any = RUN) -> Way:
        return Way(f"distill {name}", ("distill", "few", *small, *words), before=before)

    decoded = ("decode", "made.ddc", "--force", "--format")
    pool = ("pool", "few", *NETWORKS, "--epochs", "1,3", "--draws", "2", "--frequencies", "16")
    return [
        Way("decode png", (*decoded, "png"), "out", False, ("made.ddc",)),
        Way("decode npz", (*decoded, "npz"), "out.npz", False, ("made.ddc",)),
        Way("pool", pool, "pool", False),
        Way("experts", ("experts", "few", *NETWORKS, "--epochs", "6"), "experts", False),
        Way("teacher", ("teacher", "few", "--width", "8", "--epochs", "6"), "teacher", False),
        Way("datasets", ("datasets", "few"), "", False, from_empty_cache=True),
        Way("eval", ("eval", "made.ddc", "--data", "few", "--protocol", "glance", "--repeats", "2",
                     "--json"), "", False, ("made.ddc",)),
        Way("encode", ("encode", "given", "--bpc", "250", *SMALL)),
        distilled("--loss none", "--loss", "none", small=LANDED),
        distilled("--loss dm", "--loss", "dm"),
        distilled("--loss gm", "--loss", "gm", "--loss-option", "inner_steps=1"),
        distilled("--loss ncfm", "--loss", "ncfm"),
        distilled("--loss tm", "--loss", "tm", "--experts", "experts", "--loss-option",
                  "student_steps=2", before=("experts",)),
        distilled("--pool own", "--loss", "dm", "--pool", "own"),
        distilled("--labels soft", "--loss", "none", "--labels", "soft", "--teacher", "teacher",
                  "--bpc", "800", before=("teacher",)),
        distilled("--labels labeler", "--labels", "labeler", small=LABELED),
        distilled("--labels auto", "--loss", "none", "--labels", "auto", "--teacher", "teacher",
                  before=("teacher",), small=LABELED),
        Way("sweep", ("sweep", "few", "--bpc", "200,250", "--loss", "none,dm", *SMALL, "--spc", "2",
                      "--lambda", "300", "--steps", "4", "--pool", "random", "--no-validate",
                      "--protocol", "glance", "--repeats", "1"), "runs", False),
    ]  # fmt: skip


BEFORE = {
    "made.ddc": ("distill", "few", *QUICK, "--loss", "none"),
    "experts": ("experts", "few", *NETWORKS, "--epochs", "3"),
    "teacher": ("teacher", "few", "--width", "8", "--epochs", "2"),
}


def main() -> None:
    """Run the ways that are asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="of each way")
    parser.add_argument("--full", type=int, default=3, help="full disks of each way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="ways whose names hold this")
    arguments = parser.parse_args()
    chosen = [way for way in _ways() if arguments.only in way.name]
    _prepare()
    failures = kills = full = 0
    print(f"{'way':24} {'seconds':>7} {'kills':>5} {'rounds':>6} {'full':>5}  outcome", flush=True)
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        base = Path(name) / "base"
        _make_base(base, {need for way in chosen for need in way.before})
        for way in chosen:
            chance = random.Random(arguments.seed)
            result = _try(way, base, Path(name), arguments.kills, arguments.full, chance)
            print(result, flush=True)
            kills += result.kills
            full += result.full
            failures += len(result.faults)
    print(f"{kills} kills, {full} full disks, {failures} faults")
    sys.exit(bool(failures))


@dataclass
class Result:
    """What became of a way."""

    way: Way
    seconds: float
    kills: int
    rounds: int
    full: int
    faults: list[str]

    def __str__(self) -> str:
        outcome = "; ".join(self.faults) or "same bytes, same files"
        head = (
            f"{self.way.name:24} {self.seconds:7.1f} {self.kills:5} {self.rounds:6} {self.full:5}"
        )
        return f"{head}  {outcome}"


def _try(way: Way, base: Path, where: Path, kills: int, full: int, chance: random.Random) -> Result:
    """Run a way once undisturbed, then in rounds of up to three kills and an end."""
    work = where / "work"
    started = time.monotonic()
    _copy(base, work, way)
    undisturbed = _finish(way, work)
    seconds = time.monotonic() - started
    if undisturbed:
        return Result(way, seconds, 0, 0, 0, [f"undisturbed: {_last_line(work)}"])
    expected, result = _state(work), Result(way, seconds, 0, 0, 0, [])
    made = [path for path in work.rglob("*") if path.is_file() and path.name != "log.out"]
    new = [path for path in made if not (base / path.relative_to(work)).exists()]
    largest = max((path.stat().st_size for path in new), default=1000)
    while result.kills < kills and len(result.faults) < 3 and result.rounds < 2 * kills:
        _copy(base, work, way)
        result.rounds += 1
        moments: list[str] = []
        code: int | None = None
        for _ in range(chance.randint(1, 8)):
            # A run that goes on is shorter, and to be killed before it ends.
            moment = chance.uniform(0.02, 0.35 if moments else 0.9) * seconds
            code = _after(way, work, moment)
            if code is not None:
                break
            moments.append(f"{moment:.2f}")
        result.kills += len(moments)
        if code := _finish(way, work) if code is None else code:
            result.faults.append(f"exit {code} after {moments}: {_last_line(work)}")
            continue
        result.faults += [f"{what} after {moments}" for what in _differences(expected, work)]
    for share in chance.sample(range(1, 100), full):
        _copy(base, work, way)
        result.full += 1
        result.faults += _filled(way, work, share * largest // 100, expected)
    return result


def _filled(way: Way, work: Path, limit: int, expected: dict[str, str]) -> Iterator[str]:
    """Run a command whose files may not pass a size, as on a full disk, then to its end."""
    code = os.waitstatus_to_exitcode(os.waitpid(_start(way, work, limit), 0)[1])
    if code not in (0, 1) or (code and not _last_line(work).startswith("ddc: ")):
        yield f"exit {code} with files of {limit} bytes: {_last_line(work)}"
    if left := [path.name for path in work.rglob("*.partial")]:
        yield f"{left} left over with files of {limit} bytes"
    if code and (code := _finish(way, work)):
        yield f"exit {code} after files of {limit} bytes: {_last_line(work)}"
    yield from (f"{what} after files of {limit} bytes" for what in _differences(expected, work))


def _differences(expected: dict[str, str], work: Path) -> Iterator[str]:
    found = _state(work)
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            what = "left over" if name not in expected else "lost"
            yield f"{name} {'differs' if name in expected and name in found else what}"


def _state(work: Path) -> dict[str, str]:
    """Return the digest of every file there is, of those with times in them without these.

    Nor are checksums of the times compared, but with what they are of.
    """
    state = {}
    for path in sorted(work.rglob("*")):
        name = path.relative_to(work).as_posix()
        if path.is_dir() or name.startswith("log."):
            # What is said on stdout is a result where there is no other.
            if name == "log.out" and path.read_bytes().startswith(b"{"):
                state[name] = json.dumps(_lasting(checked_json(path.read_bytes())), sort_keys=True)
            continue
        data = path.read_bytes()
        if path.suffix == ".json" and path.parent.name == "runs":
            data = json.dumps(_lasting(checked_json(data)), sort_keys=True).encode()
        elif path.suffix == ".jsonl":
            # A log says when it was interrupted, and how long everything took.
            data = b""
        state[name] = hashlib.sha256(data).hexdigest()
    return state


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(part) for name, part in value.items() if "seconds" not in name}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


def _finish(way: Way, work: Path) -> int:
    """Run a command to its end and return its code."""
    return os.waitstatus_to_exitcode(os.waitpid(_start(way, work), 0)[1])


def _after(way: Way, work: Path, moment: float) -> int | None:
    """Start a command and kill it after a while; return its code if it came to an end, or None."""
    process = _start(way, work)
    deadline = time.monotonic() + moment
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def _start(way: Way, work: Path, limit: int | None = None) -> int:
    words = list(way.words)
    if way.output:
        words += ["-o", way.output]
    if way.resumes and (work / f"{way.output}.checkpoint").exists():
        words.append("--resume")
    return _fork(words, work, limit)


def _fork(words: list[str], work: Path, limit: int | None = None) -> int:
    process = os.fork()
    if process:
        return process
    try:
        os.chdir(work)
        os.environ["DDC_CACHE"] = str(work / "cache")
        for number, name in ((1, "log.out"), (2, "log.err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        code = ddc.main(words, prog_name="ddc", standalone_mode=False)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(99)


def _last_line(work: Path) -> str:
    lines = (work / "log.err").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing was said"


def _copy(base: Path, work: Path, way: Way) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base, work, copy_function=shutil.copy2)
    if way.from_empty_cache:
        shutil.rmtree(work / "cache")
    if way.output in BEFORE:
        # What others need is made here.
        shutil.rmtree(work / way.output, ignore_errors=True)


def _make_base(base: Path, needed: set[str]) -> None:
    """Write a small dataset, decode it into the cache, and make what ways need."""
    for split, count, seed in (("train", PER_CLASS, 0), ("test", 8, 1)):
        glyphs = generate_glyphs(10 * count, seed)
        for pixels, label in zip(glyphs.images, glyphs.labels, strict=True):
            if label < CLASSES:
                folder = base / "few" / split / str(label)
                folder.mkdir(parents=True, exist_ok=True)
                number = len(list(folder.iterdir()))
                picture = Image.fromarray(pixels.transpose(1, 2, 0)).resize((SIDE, SIDE))
                picture.save(folder / f"{number:03}.png")
    for label in range(CLASSES):
        shutil.copytree(
            base / "few" / "test" / str(label), base / "given" / str(label), dirs_exist_ok=True
        )
    for words in (("datasets", "few"), *((*BEFORE[name], "-o", name) for name in sorted(needed))):
        process = _fork(list(words), base)
        if os.waitpid(process, 0)[1]:
            raise SystemExit(f"{' '.join(words)}: {_last_line(base)}")


def _prepare() -> None:
    """Let runs of seconds be kept as often as those of hours are, and students be small."""
    supervision = watching.Watch.supervision

    @contextlib.contextmanager
    def often(*arguments: Any) -> Iterator[Supervision]:
        with supervision(*arguments) as found:
            yield replace(found, checkpoint_seconds=KEPT_EVERY_SECONDS)

    watching.Watch.supervision = often  # type: ignore[method-assign, assignment]
    training.EVERY_SECONDS = KEPT_EVERY_SECONDS
    # A labeler of a few updates has not come down to its share yet, which is no matter here.
    making.coded_bits = lambda tensor: 0.0  # type: ignore[attr-defined]
    unfinished.EVERY_SECONDS = KEPT_EVERY_SECONDS
    for name in ("glance", "quick", "tuned"):
        protocol = protocols.PROTOCOLS[name]
        small = replace(protocol, updates=8, epochs=None, batch_size=8, network_width=4)
        protocols.PROTOCOLS[name] = small


if __name__ == "__main__":
    main()
