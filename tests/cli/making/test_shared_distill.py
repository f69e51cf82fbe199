"""`ddc distill` by two processes of torchrun: the file of one, and one sentence at a loss."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from pet_folders import write_pets

from ddcodec.cli import ddc
from ddcodec.distill.latents import descent
from ddcodec.distill.trained import embedder
from ddcodec.evaluation import validation
from ddcodec.evaluation.protocols import Protocol

pytestmark = pytest.mark.long

DISTILL = ["distill", "pets", "--bpc", "500", "--spc", "6", "--synthesis", "wavelet"]
DISTILL += ["--fit-steps", "4", "--steps", "5", "--pool", "random", "--lambda", "4000"]
STAGED = ["distill", "pets", "--recipe", "staged", "--bpc", "3000", "--spc", "3"]
STAGED += ["--fit-steps", "4", "--labeler-epochs", "1", "--no-validate"]
SELECTION = {"name": "selection", "updates": 3, "batch_size": 4, "network_width": 4, "networks": 2}

WORKER = """
import contextlib, json, os, signal, sys
from pathlib import Path
from ddcodec.cli import ddc
from ddcodec.distill.latents import descent
from ddcodec.distill.trained import embedder
from ddcodec.distill.running.checkpoint import Checkpoint
from ddcodec.distill.running.loop import Loop
from ddcodec.evaluation import validation
from ddcodec.evaluation.protocols import Protocol

rank, commands, selection = os.environ["RANK"], *map(json.loads, sys.argv[1:])
embedder.CHUNK_IMAGES, descent.CHUNK_LATENTS["cpu"] = 5, 1000
validation.SELECTION = Protocol(**selection)
Checkpoint.is_due = True
agree = Loop._agree

def lose(self, phase, step, interruption):
    if "lost.ddc" in command and rank == "1" and (phase.name, step.step) == ("joint", 3):
        os.kill(os.getpid(), signal.SIGKILL)
    agree(self, phase, step, interruption)

Loop._agree = lose
for number, command in enumerate(commands):
    with Path(f"printed-{number}-{rank}").open("w") as printed, contextlib.redirect_stdout(printed):
        code = ddc.main(command, standalone_mode=False)
    if code:
        sys.exit(code)
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, str]":
    """Where two processes made a file and lost one of them over another, and what they said."""
    place = tmp_path_factory.mktemp("job")
    write_pets(place / "pets", 24)
    (place / "worker.py").write_text(WORKER)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    commands = [[*DISTILL, "-o", "two.ddc", "--log", "two.jsonl"], [*STAGED, "-o", "staged.ddc"]]
    commands += [[*DISTILL, "-o", "lost.ddc"]]
    ended = subprocess.run(
        [*run, "worker.py", json.dumps(commands), json.dumps(SELECTION)],
        cwd=place, env=os.environ | {"OMP_NUM_THREADS": "1", "DDC_CACHE": str(place / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    return place, ended.stderr


def _alone(command: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the digest of a file that one process makes, by one thread."""
    monkeypatch.setattr(validation, "SELECTION", Protocol(**SELECTION))  # type: ignore[arg-type]
    monkeypatch.setattr(embedder, "CHUNK_IMAGES", 5)
    monkeypatch.setitem(descent.CHUNK_LATENTS, "cpu", 1000)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = CliRunner().invoke(ddc, command)
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.stderr
    return _digest(command[command.index("-o") + 1])


def _digest(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_two_make_the_file_of_one(job: "tuple[Path, str]", monkeypatch: pytest.MonkeyPatch) -> None:
    """The first writes it, logs every step once, and alone speaks."""
    monkeypatch.chdir(job[0])
    assert _digest("two.ddc") == _alone([*DISTILL, "-o", "one.ddc"], monkeypatch)
    steps = [json.loads(line) for line in Path("two.jsonl").read_text().splitlines()]
    assert [one["step"] for one in steps if one.get("phase") == "joint" and "loss" in one] == [
        0, 1, 2, 3, 4, 5,
    ]  # fmt: skip
    assert "joint step" in Path("printed-0-0").read_text()
    assert Path("printed-0-1").read_text() == ""
    assert not Path("two.ddc.checkpoint").exists()


def test_two_make_the_staged_file_of_one(
    job: "tuple[Path, str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teacher, labeler, crops and integers are those of one process, which makes its own."""
    monkeypatch.chdir(job[0])
    monkeypatch.setenv("DDC_CACHE", "another")
    alone = _alone([*STAGED, "-o", "staged-one.ddc"], monkeypatch)
    assert _digest("staged.ddc") == alone
    assert Path("printed-1-1").read_text() == ""


def test_a_lost_process_leaves_a_run_to_go_on_with(
    job: "tuple[Path, str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, no file is there, and one process goes on to the same bytes."""
    place, said = job
    monkeypatch.chdir(place)
    lines = [line for line in said.splitlines() if line.startswith("ddc: ")]
    assert lines[-1] == (
        "ddc: One of the 2 processes was lost, or the job was ended from outside; the same command "
        "with --resume goes on from what is kept, with any number of processes."
    )
    assert sum("processes was lost" in line for line in lines) == 1
    assert Path("lost.ddc.checkpoint").exists() and not Path("lost.ddc").exists()
    resumed = _alone([*DISTILL, "-o", "lost.ddc", "--resume"], monkeypatch)
    assert resumed == _digest("two.ddc")
