"""`ddc encode` and `ddc compare` as a user meets them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from refusals import fails

from ddcodec.cli import ddc
from ddcodec.codec.decode import decode_bytes
from ddcodec.evaluation import protocols

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with a cache outside it."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(ddc, [str(argument) for argument in arguments])


def _save(name: str, count: int = 6, size: int = 8) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 3, size, size), dtype=np.uint8)
    names = np.array(["cat", "dog"])
    np.savez(name, images=images, labels=np.arange(count) % 2, class_names=names)


def test_encode_then_compare() -> None:
    """Arrays become a file; both, and a decoded folder, stand in one table."""
    _save("set.npz", count=5)
    result = _run("encode", "set.npz", "--bpc", "1k", "--fit-steps", "8")
    assert result.exit_code == 0, result.stderr
    assert "PSNR" in result.stdout and "5, 2 to 3 per class" in result.stdout
    data = Path("set-1k.ddc").read_bytes()
    assert len(data) <= 2000
    decoded = decode_bytes(data)
    assert decoded.class_names == ("cat", "dog") and decoded.labels.tolist() == [0, 0, 0, 1, 1]
    assert _run("decode", "set-1k.ddc", "-o", "folder").exit_code == 0
    result = _run("compare", "set.npz", "set-1k.ddc", "folder", "--json")
    rows = json.loads(result.stdout)["sets"]
    assert [row["kind"] for row in rows] == [".npz", ".ddc", "folder"]
    assert [row["images"] for row in rows] == [5, 5, 5]
    folder_bytes = sum(path.stat().st_size for path in Path("folder").rglob("*.*"))
    assert [row["file_bytes"] for row in rows] == [
        Path("set.npz").stat().st_size, len(data), folder_bytes,
    ]  # fmt: skip
    assert rows[1]["bits_per_class"] == 4 * len(data)
    assert all("accuracy" not in row for row in rows)
    table = _run("compare", "set.npz", "set-1k.ddc").stdout
    assert "accuracy" not in table and f"{len(data):,}" in table


def test_file_that_needs_an_option_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes more to decode than such a file may is written, and its readers' option named."""
    monkeypatch.setattr("ddcodec.format.limits.MOST_SECONDS", 1e-3)
    _save("set.npz", count=2)
    result = _run("encode", "set.npz", "--bpc", "1k", "--fit-steps", "1")
    assert result.exit_code == 0, result.stderr
    option = re.search(r"to read it +give (--max-seconds \S+): more than", result.stdout)
    assert option is not None, result.stdout
    fails(_run("verify", "set-1k.ddc"), 1, option[1], "over the 0.001 s allowed")
    assert _run("verify", "set-1k.ddc", *option[1].split()).exit_code == 0


def test_compare_tests_all_alike(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With --data every set has an accuracy by the same protocol and seeds."""
    protocol = protocols.Protocol("quick", updates=2, batch_size=4, network_width=4)
    monkeypatch.setitem(protocols.PROTOCOLS, "quick", protocol)
    _save("set.npz")
    assert _run("encode", "set.npz", "--bpc", "1k", "--fit-steps", "8").exit_code == 0
    from PIL import Image

    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "real" / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "real" / split / name / "0.png")
    arguments = ["--data", tmp_path / "real", "--repeats", "2", "--seed", "3"]
    result = _run("compare", "set.npz", "set-1k.ddc", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert [row["accuracy"]["seeds"] for row in facts["sets"]] == [[3, 4], [3, 4]]
    assert all(0 <= row["accuracy"]["mean"] <= 100 for row in facts["sets"])
    table = _run("compare", "set.npz", *arguments).stdout
    assert "accuracy, %" in table and "protocol quick, seeds 3, 4." in table
    fails(_run("compare", GOLDEN / "sets.ddc", *arguments), 1, "evaluate on the dataset")
    fails(_run("compare", "set.npz", "--size", "8"), 2, "--data")


def test_wrong_arguments(tmp_path: Path) -> None:
    """One sentence each, and nothing is written."""
    _save("set.npz")
    (tmp_path / "here" / "bad.npz").write_text("no")
    (tmp_path / "here" / "there.ddc").write_text("mine")
    cases = [
        (["encode", "none.npz", "--bpc", "1k"], 1, "does not exist"),
        (["encode", "bad.npz", "--bpc", "1k"], 1, "Cannot read 'bad.npz'"),
        (["encode", "set.npz"], 2, "--bpc"),
        (["encode", "set.npz", "--bpc", "20"], 1, "smallest possible is about"),
        (["encode", "set.npz", "--bpc", "100", "--parameterization", "pixels"], 1, "fewer images"),
        (["encode", "set.npz", "--bpc", "1k", "-o", "there.ddc"], 1, "--force"),
        (["encode", "set.npz", "--bpc", "1k", "-o", "no/x.ddc"], 1, "no folder 'no'"),
        (["encode", "set.npz", "--bpc", "1k", "--resume"], 1, "no checkpoint"),
        (["compare"], 2, "Missing argument"),
        (["compare", "none.ddc"], 1, "does not exist"),
        (["compare", "bad.npz"], 1, "Cannot read 'bad.npz'"),
        (["compare", "there.ddc"], 1, "not a .ddc file"),
        (["compare", "set.npz", "--dataset", "cifar10"], 2, "--data"),
    ]
    for arguments, code, sentence in cases:
        fails(_run(*arguments), code, sentence, after_steps="pixels" in arguments)
    left = sorted(path.name for path in Path().iterdir())
    assert left == ["bad.npz", "set.npz", "there.ddc"]
    assert Path("there.ddc").read_text() == "mine"
