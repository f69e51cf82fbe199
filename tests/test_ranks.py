"""Processes of one job: the same result as one makes, one sentence where one of them fails."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from pet_folders import write_pets

from ddcodec import ranks
from ddcodec.cli import ddc
from ddcodec.errors import DdcError, RecipeError
from ddcodec.evaluation import protocols
from ddcodec.ranks import ALONE, Ranks, asked, joined

EXPERTS = ["experts", "pets", "--count", "3", "--epochs", "2", "--width", "4"]
POOL = ["pool", "pets", "--count", "3", "--epochs", "0,1", "--draws", "1", "--frequencies", "4"]
POOL += ["--width", "4"]
EVAL = ["eval", "pets/train", "--data", "pets", "--protocol", "glance", "--repeats", "3", "--json"]
EVAL += ["--references", "random"]
THREAD = {"OMP_NUM_THREADS": "1"}

Job = tuple[Path, "subprocess.CompletedProcess[str]"]

# Commands on small networks, one after the other, printing to files; the last loses a process.
COMMANDS = [[*EXPERTS, "-o", "e2"], [*POOL, "-o", "p2"], EVAL, [*EXPERTS, "-o", "lost"]]
WORKER = """
import contextlib, json, os, signal, sys
from pathlib import Path
from ddcodec.cli import ddc
from ddcodec.cli.shared import networks
from ddcodec.evaluation import protocols

protocol = protocols.Protocol("glance", updates=2, batch_size=4, network_width=4)
protocols.PROTOCOLS["glance"] = protocol
rank, commands = os.environ["RANK"], json.loads(sys.argv[1])
real = networks.show_training

def show(report, progress):
    if "lost" in command and rank == "1" and progress.step == progress.steps:
        os.kill(os.getpid(), signal.SIGKILL)
    real(report, progress)

networks.show_training = show
for number, command in enumerate(commands):
    with Path(f"printed-{number}-{rank}").open("w") as printed, contextlib.redirect_stdout(printed):
        code = ddc.main(command, standalone_mode=False)
    if code:
        sys.exit(code)
"""

# A job whose second process fails while the first waits for it.
FAILING = """
from ddcodec.cli.shared.group import SentenceGroup, describe
from ddcodec.errors import OutputError
from ddcodec.ranks import joined

group = SentenceGroup()

@group.command()
def work():
    with joined("cpu", describe) as ranks:
        print(f"{ranks.rank} of {ranks.count}", flush=True)
        if ranks.rank == 1:
            raise OutputError("The disk is\\nfull.")
        ranks.summed()

group.main(["work"])
"""

# A job that loses its second process, and whose first is told to end before it has said so.
LOSING = """
import os, signal
from ddcodec.cli.shared.group import SentenceGroup, describe
from ddcodec.ranks import joined

def again():
    os.kill(os.getpid(), signal.SIGTERM)
    return "the same command"

group = SentenceGroup()

@group.command()
def work():
    with joined("cpu", describe, again) as ranks:
        print(f"{ranks.rank} of {ranks.count}", flush=True)
        if ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        ranks.summed()

group.main(["work"])
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Commands that two processes of torchrun did beside an image folder of two classes, 8 × 8."""
    place = tmp_path_factory.mktemp("job")
    write_pets(place / "pets", 6)
    (place / "worker.py").write_text(WORKER)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    return place, subprocess.run(
        [*run, "worker.py", json.dumps(COMMANDS)],
        cwd=place, env=os.environ | THREAD | {"DDC_CACHE": str(place / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def beside(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where the job did."""
    place, _ = job
    monkeypatch.chdir(place)
    monkeypatch.setenv("DDC_CACHE", str(place / "another cache"))
    protocol = protocols.Protocol("glance", updates=2, batch_size=4, network_width=4)
    monkeypatch.setitem(protocols.PROTOCOLS, "glance", protocol)


def _alone(command: list[str]) -> str:
    """Return what one process prints, by as many threads as each of several has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = CliRunner().invoke(ddc, command)
    finally:
        torch.set_num_threads(threads)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def _files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _untimed(printed: str) -> dict[str, Any]:
    """Return what `ddc eval --json` prints, without times and the checksum over them."""
    facts = json.loads(printed, object_hook=lambda one: {**one, "seconds": 0})
    facts.pop("checksum", None)
    return {name: value for name, value in facts.items() if "sha256" not in name}


@pytest.mark.long
def test_two_make_what_one_makes(job: Job, beside: None) -> None:
    """Experts, pools and accuracies are equal to the byte."""
    _alone([*EXPERTS, "-o", "e1"])
    _alone([*POOL, "-o", "p1"])
    assert set(_files("e1")) == {"experts.json", *(f"network-00{n}.pt" for n in range(3))}
    assert _files("e2") == _files("e1") and _files("p2") == _files("p1")
    evaluated = _untimed(Path("printed-2-0").read_text())
    assert evaluated == _untimed(_alone(EVAL)) and len(evaluated["accuracies"]) == 3
    assert len(evaluated["results"][0]["random_real"]["accuracies"]) == 3


@pytest.mark.long
def test_the_first_alone_speaks(job: Job, beside: None) -> None:
    """It shows its share, the first and the third network, and prints the results of all."""
    _, ended = job
    assert Path("printed-0-0").read_text().startswith("3 networks to train")
    assert [Path(f"printed-{number}-1").read_text() for number in range(4)] == [""] * 4
    assert "training 1/3" in ended.stderr and "training 3/3" in ended.stderr
    assert "training 2/3" not in ended.stderr


@pytest.mark.long
def test_a_lost_process_ends_the_job(job: Job, beside: None) -> None:
    """It is said once, files are whole or absent, and one process goes on to the same bytes."""
    _, ended = job
    assert ended.returncode != 0
    said = [line for line in ended.stderr.splitlines() if line.startswith("ddc: ")]
    assert said[-1].startswith("ddc: One of the 2 processes was lost")
    assert sum("goes on from what is kept" in line for line in said) == 1
    left = {name for name in _files("lost") if not name.startswith(".")}
    assert left <= {"experts.json", "network-000.pt", "network-002.pt"}
    _alone([*EXPERTS, "-o", "lost"])
    assert _files("lost") == _files("e2")


def _two(program: str) -> tuple[list[tuple[str, str]], list[int]]:
    """Return what two processes without torchrun print, and their exit codes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    given = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=os.environ | THREAD | given | {"RANK": rank},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    printed = [process.communicate(timeout=120) for process in started]
    return printed, [process.returncode for process in started]


def test_the_first_says_why_another_failed() -> None:
    """One sentence names the process; both end with a code, without torchrun, too."""
    printed, codes = _two(FAILING)
    assert printed == [("0 of 2\n", "ddc: Process 2 of 2 failed: The disk is full.\n"), ("", "")]
    assert codes == [1, 1]


def test_a_loss_is_said_before_the_end() -> None:
    """Torchrun, which ends the first process soon after it lost another, does not silence it."""
    printed, codes = _two(LOSING)
    assert printed[0][0] == "0 of 2\n" and printed[0][1].startswith("ddc: One of the 2 processes")
    assert codes == [1, -signal.SIGKILL]


def test_shares() -> None:
    """Every item is somebody's, every second one the first's; alone a process has all."""
    assert Ranks(0, 2).share(range(5)) == [0, 2, 4] and Ranks(1, 2).share(range(5)) == [1, 3]
    assert Ranks(2, 3).share([7]) == [] and ALONE.share("ab") == ["a", "b"]
    assert ALONE.summed([1.5, 2.0]) == [1.5, 2.0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ALONE),
        ({"WORLD_SIZE": "4"}, ALONE),
        ({"RANK": "0", "WORLD_SIZE": "1"}, ALONE),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Ranks(3, 4)),
    ],
)
def test_what_torchrun_says(given: dict[str, str], expected: Ranks) -> None:
    """Two variables say which process this is; with one or none it is alone."""
    assert asked(given) == expected


@pytest.mark.parametrize("rank, count", [("4", "4"), ("-1", "2"), ("one", "2"), ("0", "")])
def test_what_makes_no_sense(rank: str, count: str) -> None:
    """Is refused before anybody is waited for."""
    with pytest.raises(RecipeError, match="name no process of a job"):
        asked({"RANK": rank, "WORLD_SIZE": count})


def test_one_process_connects_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under torchrun with one process nothing is initialised."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined("cpu", lambda error: ("", 1)) as found:
        assert found is ALONE and not torch.distributed.is_initialized()


def test_other_commands_are_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight processes that encode one file are refused, by one sentence of the first."""
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "0")
    result = CliRunner().invoke(ddc, ["encode", "x", "--bpc", "1k"])
    assert result.exit_code == 2 and "'ddc encode' is the work of one process" in result.stderr
    monkeypatch.setenv("RANK", "7")
    result = CliRunner().invoke(ddc, ["encode", "x", "--bpc", "1k"])
    assert (result.exit_code, result.output) == (1, "")


def test_a_slip_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes have the same command line; other commands are nobody's business."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, told in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        result = CliRunner().invoke(ddc, ["experts", "glyphs", "--coutn", "3"])
        assert result.exit_code == 2 and result.stderr.count("No such option") == told
        result = CliRunner().invoke(ddc, ["inspect", "--coutn", "3"])
        assert result.exit_code == 2 and result.stderr.count("No such option") == 1


def test_who_waits_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that another job's process starts does not wait for ever."""
    monkeypatch.setattr(ranks, "_LONGEST_GATHERING", timedelta(0))
    store = torch.distributed.HashStore()
    with pytest.raises(DdcError, match="Only 1 of 3 processes came"):
        ranks._gather(store, Ranks(1, 3))


def test_the_mute_still_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was damaged in this process's share is said, whatever it prints."""
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    monkeypatch.setattr(
        warnings, "showwarning", lambda message, *_, **__: print(message, file=sys.stderr)
    )
    with warnings.catch_warnings(), ranks._mute():
        warnings.simplefilter("always")
        print("progress", file=sys.stderr)
        warnings.warn("damaged", stacklevel=1)
    assert heard.getvalue() == "damaged\n"
