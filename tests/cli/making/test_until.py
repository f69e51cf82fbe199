"""`ddc distill --until`: what each stage prints and leaves, and how the next command goes on."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pet_folders import write_pets
from refusals import fails

from ddcodec.cli import ddc


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with pets and a cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    write_pets(Path("pets"), per_class=5)


def _distill(*arguments: str) -> Result:
    options = ["--bpc", "900", "--spc", "2", "--fit-steps", "3"]
    preset = ["distill", "pets", "--recipe", "staged", "--labels", "hard", *options]
    short = ["--synthesis", "wavelet-2", "--lambda", "3000", "--labeler-epochs", "1"]
    return CliRunner().invoke(ddc, [*preset, *short, "-o", "x.ddc", *arguments])


def _files() -> list[str]:
    return sorted(path.name for path in Path().glob("x.ddc*"))


def test_until_and_on() -> None:
    """Each command leaves what the next needs; the last leaves the file and the chosen images."""
    result = _distill("--until", "teacher")
    assert result.exit_code == 0, result.output
    assert "teacher, done" in result.stdout and "the same command with --resume" in result.stdout
    assert _files() == ["x.ddc.checkpoint.stages"]
    fails(_distill("--until", "select"), 1, "holds an interrupted run; go on with --resume")
    assert _distill("--until", "select", "--resume").exit_code == 0
    assert _files() == ["x.ddc.checkpoint.stages", "x.ddc.selected.npz"]
    result = _distill("--until", "refine", "--resume")
    assert "'refine' has nothing to do: there is no loss" in result.stderr
    assert _files() == ["x.ddc.checkpoint", "x.ddc.checkpoint.stages", "x.ddc.selected.npz"]
    fails(_distill("--resume", "--seed", "1"), 2, "was begun with seed 0, not 1")
    result = _distill("--resume")
    assert result.exit_code == 0, result.output
    assert _files() == ["x.ddc", "x.ddc.selected.npz"]


def test_what_is_there_is_kept() -> None:
    """Images that were selected before are replaced with --force only."""
    Path("x.ddc.selected.npz").write_bytes(b"mine")
    fails(_distill("--until", "select"), 1, "'x.ddc.selected.npz' exists")
    assert Path("x.ddc.selected.npz").read_bytes() == b"mine"
    assert _distill("--until", "select", "--force").exit_code == 0
    assert Path("x.ddc.selected.npz").stat().st_size > 384
