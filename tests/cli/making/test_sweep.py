"""`ddc sweep`: what a grid leaves, skips, goes on with and refuses."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from pet_folders import write_pets
from PIL import Image

from ddcodec.cli import ddc
from ddcodec.cli.making import grid
from ddcodec.cli.making.sweep import listed
from ddcodec.cli.shared.options import parse_size
from ddcodec.evaluation import protocols
from ddcodec.kept.lock import only_one
from ddcodec.results.runs import read_points

QUICK = ["--fit-steps", "2", "--spc", "2", "--synthesis", "4", "--repeats", "2"]
FILES = ["none-500-seed0.ddc", "none-500-seed0.ddc.json"]
FILES += ["none-500-seed0.jsonl", "none-500-seed0.test.json"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset of two classes and a sweep of one point, evaluated briefly."""
    base = tmp_path_factory.mktemp("finished")
    write_pets(base / "pets", 4)
    with pytest.MonkeyPatch.context() as patch:
        _prepare(patch, base)
        result = _sweep()
        assert result.exit_code == 0, result.stderr
        assert "none-500-seed0" in result.stdout and "protocol quick, convnet" in result.stdout
        # It is loaded three times.
        assert result.stderr.count("pets: 2 classes") == 1
    return base


def _prepare(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)
    patch.setenv("DDC_CACHE", str(folder / "cache"))
    protocol = protocols.Protocol("quick", updates=2, batch_size=4, network_width=4)
    patch.setitem(protocols.PROTOCOLS, "quick", protocol)


@pytest.fixture
def empty(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where there is the dataset, but no sweep."""
    shutil.copytree(finished / "pets", tmp_path / "pets")
    _prepare(monkeypatch, tmp_path)


@pytest.fixture
def swept(empty: None, finished: Path, tmp_path: Path) -> None:
    """Work where the sweep of one point is there, too."""
    shutil.copytree(finished / "runs", tmp_path / "runs")


def _sweep(*arguments: str) -> Result:
    given = ["sweep", "pets", "--bpc", "500", "--loss", "none", *QUICK, *arguments]
    return CliRunner().invoke(ddc, given)


def _left() -> list[str]:
    return sorted(path.name for path in Path("runs").iterdir())


def _sentence(result: Result, code: int) -> str:
    """Return the last line on stderr of a command that failed."""
    assert result.exit_code == code, (result.output, result.exception)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ddc: ") and "Traceback" not in result.output
    return last


def test_grid_is_filled_and_kept(swept: None) -> None:
    """Each point is four files; a second sweep makes only what is new."""
    assert _left() == FILES
    made = {name: Path("runs", name).stat().st_mtime_ns for name in FILES}
    again = _sweep("--seeds", "0,1")
    assert again.exit_code == 0, again.stderr
    assert "none-500-seed0.ddc' is there already" in again.stderr
    assert {name: Path("runs", name).stat().st_mtime_ns for name in FILES} == made
    names = [point.name for point in read_points(Path("runs"), "test")]
    assert names == ["none-500-seed0", "none-500-seed1"]
    evaluation = json.loads(Path("runs", FILES[3]).read_text())
    assert (len(evaluation["accuracies"]), evaluation["split"]) == (2, "test")


def test_validation_part_stands_beside_the_test_set(swept: None) -> None:
    """A file is evaluated on each split once; the file is not made again."""
    result = _sweep("--split", "val")
    assert result.exit_code == 0 and "is there already" in result.stderr
    assert _left() == sorted([*FILES, "none-500-seed0.val.json"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fit-steps", "3"], "was made with another fit_steps; name another folder"),
        (["--repeats", "3"], "was made with protocol quick, convnet, 2 networks"),
        (["--protocol", "glance"], "was made with protocol quick, convnet, 2 networks"),
    ],
)
def test_other_settings_are_refused(swept: None, arguments: list[str], sentence: str) -> None:
    """What is there is neither taken for something else nor replaced."""
    before = Path("runs", FILES[3]).read_bytes()
    assert sentence in _sentence(_sweep(*arguments), 2)
    assert Path("runs", FILES[3]).read_bytes() == before


def test_other_dataset_is_refused(swept: None) -> None:
    """Images that have changed are another dataset."""
    Image.new("RGB", (8, 8)).save("pets/train/cat/0.png")
    assert "was made with another dataset" in _sentence(_sweep(), 2)


def test_interrupt_and_going_on(swept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C says how to go on, and the same command then does."""
    Path("runs", FILES[3]).unlink()
    real = grid.Grid._evaluate

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(grid.Grid, "_evaluate", interrupt)
    sentence = _sentence(_sweep("--bpc", "500,700"), 130)
    assert "Interrupted in 'none-500-seed0', point 1 of 2" in sentence
    assert "the same command goes on" in sentence
    assert _left() == FILES[:3]
    monkeypatch.setattr(grid.Grid, "_evaluate", real)
    assert _sweep().exit_code == 0
    assert _left() == FILES


def test_checkpoint_is_resumed(swept: None) -> None:
    """What an interrupt left is gone on with, not begun anew: here a checkpoint that is damaged."""
    before = Path("runs", FILES[0]).read_bytes()
    Path("runs", FILES[1]).unlink()
    Path("runs", FILES[0] + ".checkpoint").write_bytes(b"damaged")
    result = _sweep()
    assert result.exit_code == 1 and "none-500-seed0.ddc.checkpoint' is damaged" in result.stderr
    assert Path("runs", FILES[0]).read_bytes() == before


def test_one_impossible_point_does_not_stop_the_others(swept: None) -> None:
    """It is named at the end, with exit code 1."""
    result = _sweep("--bpc", "20,500")
    assert "1 of 2 points failed (none-20-seed0)" in _sentence(result, 1)
    assert "cannot hold" in result.stderr or "budget" in result.stderr
    assert _left() == FILES
    result = _sweep("--bpc", "20")
    assert _sentence(result, 1).endswith("(none-20-seed0), for the reasons above.")


def test_no_images_to_test_on(empty: None) -> None:
    """It is said before the first file is made, not when it is to be evaluated."""
    shutil.rmtree("pets/test")
    assert "has no test images" in _sentence(_sweep(), 1)
    assert _left() == []
    assert _sweep("--split", "val").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bpc", "1k,x"], "'x' is not a size"),
        (["--bpc", ""], "is not a size"),
        (["--bpc", "1k,,3k"], "is not a size"),
        (["--bpc", "1k,1000"], "names 1k twice"),
        (["--loss", "none,dn"], "'dn' is not one of none, dm"),
        (["--seeds", "0,a"], "'a' is not a whole number"),
        (["--loss", "tm"], "Trajectory matching needs experts"),
        (["--epochs", "3"], "No such option"),
        (["--split", "val", "--no-hold-out"], "leave one of them out"),
    ],
)
def test_wrong_grids(empty: None, arguments: list[str], sentence: str) -> None:
    """Each gets one sentence before anything is made."""
    assert sentence in _sentence(_sweep(*arguments), 2)
    assert not Path("runs").exists()


def test_wrong_folders(swept: None) -> None:
    """A file in the way, a file without its record, and a damaged evaluation are said so."""
    Path("other").write_text("")
    assert "Cannot make the folder 'other'" in _sentence(_sweep("-o", "other"), 1)
    whole = Path("runs", FILES[3]).read_text()
    Path("runs", FILES[3]).write_text(whole.replace('"file_bytes": ', '"file_bytes": 1'))
    assert "is damaged: its checksum is not that of its content" in _sweep().stderr
    Path("runs", FILES[3]).write_text("{")
    result = _sweep()
    assert "is damaged: it is no JSON object" in result.stderr and result.exit_code == 1
    Path("runs", FILES[1]).unlink()
    assert "has no record beside it" in _sweep().stderr


def test_lists() -> None:
    """Values may have spaces around them; equal sizes written otherwise are one."""
    assert [size.num_bytes for size in listed(parse_size)("1k, 80kbit")] == [1000.0, 10_000.0]
    assert listed(int)("3, 1") == (3, 1)
    with pytest.raises(click.BadParameter, match="names 1k twice"):
        listed(parse_size)("1k,1kB")


def test_options_are_those_of_distill() -> None:
    """A sweep takes whatever distill takes, except what it sets itself."""
    names: Iterator[str | None] = (option.name for option in ddc.commands["distill"].params)
    swept = {option.name for option in ddc.commands["sweep"].params}
    assert set(names) - set(grid.OWN_OPTIONS) <= swept


def test_two_sweeps_of_one_folder(swept: None) -> None:
    """The second is told before it begins, and leaves what is there."""
    with only_one(Path("runs", "none-500-seed0"), "it"):
        assert "Another ddc" in _sentence(_sweep("--seeds", "1,0"), 1)
    assert _left() == FILES


def test_a_damaged_file_is_not_taken_for_done(swept: None) -> None:
    """A file that is not the one its record was written for is refused, not evaluated."""
    path = Path("runs", FILES[0])
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    result = _sweep()
    assert "1 of 1 points failed" in _sentence(result, 1)
    assert "is damaged, or not the file that" in result.stderr
