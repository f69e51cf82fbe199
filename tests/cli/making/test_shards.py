"""`ddc sweep --shard` and `--slurm`: shares of a grid make what the whole makes."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from pet_folders import write_pets

from ddcodec.cli import ddc
from ddcodec.cli.making.grid import Grid
from ddcodec.cli.making.shards import Shard
from ddcodec.evaluation import protocols
from ddcodec.kept.lock import only_one

GRID = ["--bpc", "500,700", "--loss", "none", "--seeds", "0,1"]
QUICK = ["--fit-steps", "2", "--spc", "2", "--synthesis", "4", "--repeats", "1"]


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside an image folder of two classes, 8 × 8, where an evaluation is two updates."""
    write_pets(tmp_path / "our pets", 4)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    protocol = protocols.Protocol("quick", updates=2, batch_size=4, network_width=4)
    monkeypatch.setitem(protocols.PROTOCOLS, "quick", protocol)


def _sweep(*arguments: str) -> Result:
    return CliRunner().invoke(ddc, ["sweep", "our pets", *GRID, *QUICK, *arguments])


def _files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.ddc")}


@pytest.mark.long
def test_shards_make_the_whole(pets: None) -> None:
    """Each makes its own point, the last prints all, and nothing is left for a whole sweep."""
    grid = ["--bpc", "500", "--seeds", "0,1"]
    first = _sweep(*grid, "-o", "shared", "--shard", "1/2")
    assert first.exit_code == 0, first.stderr
    assert set(_files("shared")) == {"none-500-seed0.ddc"}
    assert "Shard 1/2 is done; 1 of 2 points are left to others." in first.stdout
    last = _sweep(*grid, "-o", "shared", "--shard", "2/2")
    assert "Shard 2/2 is done, and so are all 2 points." in last.stdout
    again = _sweep(*grid, "-o", "shared")
    assert again.stderr.count("is there already") == 2
    whole = _sweep(*grid, "-o", "whole")
    assert len(_files("whole")) == 2 and _files("whole") == _files("shared")
    assert last.stdout.splitlines()[:-1] == again.stdout.splitlines()
    assert again.stdout.replace("shared", "whole") == whole.stdout


def test_shards_keep_off_each_others_points(pets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a shard at work another one runs; who wants one of its points is told."""
    made: list[str] = []
    monkeypatch.setattr(
        Grid, "run", lambda grid, points, requests: made.extend(point.name for point in points)
    )
    Path("runs").mkdir()
    with only_one(Path("runs", "none-500-seed0"), "it"):
        assert "Another ddc" in _sweep("--shard", "1/2").stderr
        assert "Another ddc" in _sweep().stderr
        assert made == []
        assert _sweep("--shard", "2/2").exit_code == 0
    assert made == ["none-500-seed1", "none-700-seed1"]


def test_more_shards_than_points(pets: None) -> None:
    """The fifth of four points does nothing, which is no failure."""
    result = _sweep("--shard", "5/9")
    assert result.exit_code == 0, result.stderr
    assert "Shard 5/9 of 4 points is empty; 4 of 4 points are left to others" in result.stdout
    assert list(Path("runs").iterdir()) == []


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1/", "/2"])
def test_wrong_shards(pets: None, text: str) -> None:
    """Each gets one sentence before anything is made."""
    result = _sweep("--shard", text)
    assert result.exit_code == 2 and f"'{text}' is no shard such as 1/8" in result.stderr
    assert not Path("runs").exists()


def test_a_script_runs_the_shards(pets: None) -> None:
    """The script calls this Python with the same words, from the same folder; nothing is made."""
    result = _sweep("-o", "our runs", "--slurm", "2")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0] == (
        "'our runs/sweep.sbatch' runs 4 points in 2 jobs; nothing was submitted. Do it by"
    )
    assert "  sbatch 'our runs/sweep.sbatch'\n" in result.stdout
    assert [path.name for path in Path("our runs").iterdir()] == ["sweep.sbatch"]
    lines = Path("our runs", "sweep.sbatch").read_text().splitlines()
    assert lines[0] == "#!/bin/sh" and "#SBATCH --array=1-2" in lines
    assert shlex.split(lines[-2])[:2] == ["cd", str(Path.cwd())]
    called = [sys.executable, "-m", "ddcodec", "sweep", "--shard", "$SLURM_ARRAY_TASK_ID/2"]
    assert shlex.split(lines[-1]) == ["exec", *called, "our pets", *GRID, *QUICK, "-o", "our runs"]


def test_the_shell_takes_the_script(pets: None) -> None:
    """Its words arrive whole; a job beyond the grid tells so without making anything."""
    assert _sweep("--slurm=9").exit_code == 0
    assert "#SBATCH --array=1-4" in Path("runs", "sweep.sbatch").read_text()
    script = str(Path("runs", "sweep.sbatch").resolve())
    job = os.environ | {"SLURM_ARRAY_TASK_ID": "5"}
    ended = subprocess.run(
        ["sh", script], env=job, cwd="/", capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "") and "'5/4' is no shard" in ended.stderr


def test_a_script_of_a_shard(pets: None) -> None:
    """Makes no sense, and is refused."""
    result = _sweep("--slurm", "2", "--shard", "1/2")
    assert result.exit_code == 2 and "leave --shard out" in result.stderr


@given(st.integers(0, 40), st.integers(1, 12))
def test_every_point_is_of_one_shard(points: int, count: int) -> None:
    """Whatever the numbers, shards are disjoint, whole, and differ by one point at most."""
    shares = [Shard(number, count).of(range(points)) for number in range(1, count + 1)]
    assert sorted(point for share in shares for point in share) == list(range(points))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
