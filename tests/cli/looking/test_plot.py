"""`ddc plot`: what it draws, names and refuses."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ddcodec.cli import ddc
from ddcodec.cli.looking.plot import names_of

_LOG = """\
{"event": "start", "budget_bytes": 1000, "seconds": 0.0}
{"event": "step", "phase": "fit", "step": 1, "rate_bytes": 900, "loss": 3, "seconds": 1.0}
{"event": "step", "phase": "fit", "step": 2, "rate_bytes": 990, "loss": 2, "seconds": 2.0}
"""

_EVALUATION = {
    "dataset": "cifar10", "protocol": "quick", "arch": "convnet", "split": "test",
    "file_bytes": 9990, "bits_per_class": 7992.0, "accuracies": [40.5, 41], "num_images": 320,
}  # fmt: skip
GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(autouse=True)
def _log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with one log and a folder of one point."""
    monkeypatch.chdir(tmp_path)
    Path("run.jsonl").write_text(_LOG)
    Path("runs").mkdir()
    shutil.copy(GOLDEN / "wavelet.ddc", "runs/dm-1k-seed0.ddc")
    Path("runs/dm-1k-seed0.ddc.json").write_text('{"recipe": {"loss": "dm", "seed": 0}}')
    Path("runs/dm-1k-seed0.test.json").write_text(json.dumps(_EVALUATION))


def _plot(*arguments: str) -> Result:
    return CliRunner().invoke(ddc, ["plot", *arguments])


def test_picture(tmp_path: Path) -> None:
    """The default is curves.png; it is kept unless --force is given."""
    result = _plot("run.jsonl")
    assert (result.exit_code, result.stdout) == (0, "curves.png: run\n")
    assert Image.open("curves.png").format == "PNG"
    kept = _plot("run.jsonl")
    assert kept.exit_code == 1 and "--force" in kept.stderr
    assert _plot("run.jsonl", "--force", "--x", "steps").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "run.jsonl", "runs"]


def test_pictures_of_a_folder() -> None:
    """A sweep's folder gives its curve, with published points or without, and its shares."""
    plain = _plot("runs")
    assert (plain.exit_code, plain.stdout) == (0, "curve.png: 1 file; dm\n")
    assert _plot("runs", "--peers", "-o", "peers.pdf").exit_code == 0
    assert Path("peers.pdf").read_bytes().startswith(b"%PDF")
    shares = _plot("runs", "--allocation")
    assert (shares.exit_code, shares.stdout) == (0, "shares.png: 1 file\n")
    assert Image.open("shares.png").format == Image.open("curve.png").format == "PNG"


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what to install, for folders as for logs."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for arguments in (["runs"], ["runs", "--allocation"], ["run.jsonl"]):
        result = _plot(*arguments)
        assert result.exit_code == 1 and "pip install 'ddcodec[plot]'" in result.stderr


def test_names() -> None:
    """Logs are called by their stem, or by their path where that is not enough."""
    assert names_of((Path("a/dm.jsonl"), Path("b/none.jsonl"))) == ["dm", "none"]
    assert names_of((Path("a/x.jsonl"), Path("b/x.jsonl"))) == ["a/x.jsonl", "b/x.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "Missing argument 'LOG...|FOLDER...'"),
        (["none.jsonl"], 1, "Cannot read the log 'none.jsonl': No such file or directory."),
        (["run.jsonl", "picture.png"], 1, "'picture.png' is not a log"),
        (["empty.jsonl"], 1, "'empty.jsonl' is empty"),
        (["."], 1, "'.' holds no file evaluated on 'test'"),
        ([".", "--allocation"], 1, "'.' holds no .ddc with a record"),
        ([".", "run.jsonl"], 2, "Logs and folders are different pictures"),
        (["run.jsonl", "--peers"], 2, "need the folder of a sweep"),
        ([".", "--allocation", "--peers"], 2, "leave --peers out"),
        (["runs", "--peer", "XYZ"], 1, "No points of 'XYZ' are known"),
        (["runs", "-o", "curve.gif"], 2, "must end in .png, .svg or .pdf"),
        (["run.jsonl", "-o", "curves.gif"], 2, "must end in .png, .svg or .pdf"),
        (["run.jsonl", "-o", "none/curves.png"], 1, "no folder 'none'"),
        (["run.jsonl", "--x", "epochs"], 2, "'epochs' is not one of"),
        (["started.jsonl"], 1, "no step of a run yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_arguments(tmp_path: Path, arguments: list[str], code: int, sentence: str) -> None:
    """Each gets one sentence and leaves no picture."""
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Path("empty.jsonl").touch()
    Path("started.jsonl").write_text(_LOG.splitlines(keepends=True)[0])
    before = sorted(path.name for path in tmp_path.iterdir())
    result = _plot(*arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("ddc: ") and result.stderr.count("\n") == 1
    assert sentence in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before
