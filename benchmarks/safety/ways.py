"""The ways to make something that `kills.py` and `disks.py` get in the way of.

A way runs as a process of its own in a folder with a small dataset, everything it needs, and a
cache; by fork, since a new Python would take longer than the work.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
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


def all_ways() -> list[Way]:
    """Return every way, in the order of the table."""

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
        distilled("--pool auto", "--loss", "dm", "--pool", "auto"),
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


@dataclass(frozen=True)
class Place:
    """Where ways run.

    Attributes:
        base: what every run begins with, never changed.
        work: a copy of it, in which a way runs.
        logs: what it says.
    """

    base: Path
    work: Path
    logs: Path

    @classmethod
    def make(cls, where: Path, ways: Sequence[Way]) -> Place:
        """Make a base that has what these ways need."""
        place = cls(where / "base", where / "work", where / "logs")
        place.logs.mkdir()
        _make_base(place, {need for way in ways for need in way.before})
        return place

    def begin(self, way: Way) -> None:
        """Copy the base, without what the way is to make."""
        remove_content(self.work)
        shutil.copytree(self.base, self.work, copy_function=shutil.copy2, dirs_exist_ok=True)
        if way.from_empty_cache:
            shutil.rmtree(self.work / "cache")
        if way.output in BEFORE:
            # What others need is made here.
            shutil.rmtree(self.work / way.output, ignore_errors=True)

    def start(self, way: Way, before: Callable[[], None] | None = None) -> int:
        """Start a way, or go on with it, and return its process.

        Args:
            way: to run.
            before: called in the process before anything else.
        """
        words = list(way.words)
        if way.output:
            words += ["-o", way.output]
        if way.resumes and (self.work / f"{way.output}.checkpoint").exists():
            words.append("--resume")
        return self._fork(words, self.work, before)

    def finish(self, way: Way, before: Callable[[], None] | None = None) -> int:
        """Run a way to its end and return its exit status."""
        return _status(self.start(way, before))

    def run(self, words: list[str], folder: Path) -> int:
        """Run a command in a folder and return its exit status."""
        return _status(self._fork(words, folder, None))

    def last_line(self) -> str:
        """Return what was said last."""
        lines = (self.logs / "err").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing was said"

    def _fork(self, words: list[str], folder: Path, before: Callable[[], None] | None) -> int:
        process = os.fork()
        if process:
            return process
        try:
            os.chdir(folder)
            os.environ["DDC_CACHE"] = str(folder / "cache")
            for number, name in ((1, "out"), (2, "err")):
                handle = os.open(self.logs / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(handle, number)
            if before is not None:
                before()
            code = ddc.main(words, prog_name="ddc", standalone_mode=False)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(99)

    def state(self) -> dict[str, str]:
        """Return the digest of every file there is, of those with times in them without these.

        Nor are checksums of the times compared, but with what they are of.
        """
        state = {}
        said = (self.logs / "out").read_bytes()
        if said.startswith(b"{"):
            # What is said on stdout is a result where there is no other.
            state["stdout"] = json.dumps(_lasting(checked_json(said)), sort_keys=True)
        for path in sorted(self.work.rglob("*")):
            if path.is_dir():
                continue
            data = path.read_bytes()
            if path.suffix == ".json" and path.parent.name == "runs":
                data = json.dumps(_lasting(checked_json(data)), sort_keys=True).encode()
            elif path.suffix == ".jsonl":
                # A log says when it was interrupted, and how long everything took.
                data = b""
            state[path.relative_to(self.work).as_posix()] = hashlib.sha256(data).hexdigest()
        return state

    def differences(self, expected: dict[str, str]) -> Iterator[str]:
        """Yield what is otherwise than in a state of before."""
        found = self.state()
        for name in sorted({*expected, *found}):
            if expected.get(name) != found.get(name):
                what = "left over" if name not in expected else "lost"
                yield f"{name} {'differs' if name in expected and name in found else what}"


def remove_content(folder: Path) -> None:
    """Empty a folder, which may be a mount, or do nothing where there is none."""
    if folder.exists():
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _status(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lasting(part) for name, part in value.items() if "seconds" not in name}
    return [_lasting(part) for part in value] if isinstance(value, list) else value


def _make_base(place: Place, needed: set[str]) -> None:
    """Write a small dataset, decode it into the cache, and make what ways need."""
    base = place.base
    for split, count, seed in (("train", PER_CLASS, 0), ("test", 8, 1)):
        glyphs = generate_glyphs(10 * count, seed)
        for pixels, label in zip(glyphs.images[:], glyphs.labels, strict=True):
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
        if place.run(list(words), base):
            raise SystemExit(f"{' '.join(words)}: {place.last_line()}")


def asked(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[Way]]:
    """Return the arguments of the command line and the ways that they choose, ready to be run."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="ways whose names hold this")
    arguments = parser.parse_args()
    _prepare()
    return arguments, [way for way in all_ways() if arguments.only in way.name]


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
