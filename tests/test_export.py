"""What leaves a file reaches the disk whole, and nothing on the disk is lost."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ddcodec.codec.decode import DecodedFile
from ddcodec.errors import OutputError, RecipeError
from ddcodec.export import (
    MARGIN,
    check_output,
    class_folders,
    draw_contact_sheet,
    write_contact_sheet,
    write_npz,
    write_png,
    write_pt,
)
from ddcodec.inspection import decode_file

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.ddc"))


def _golden(name: str) -> DecodedFile:
    return decode_file(GOLDEN[0].with_name(f"{name}.ddc"))


def _named(*names: str) -> DecodedFile:
    """Return a decoded file of three classes with other names."""
    decoded = _golden("sets")
    return replace(decoded, content=replace(decoded.content, class_names=names))


def _read_png_folder(folder: Path) -> tuple[list[np.ndarray], list[int], list[str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    pictures = [np.asarray(Image.open(folder / row["filename"])) for row in rows]
    images = [p[None] if p.ndim == 2 else p.transpose(2, 0, 1) for p in pictures]
    return images, [int(row["label"]) for row in rows], [row["class"] for row in rows]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_png_folder_equals_the_decoded_file(path: Path, tmp_path: Path) -> None:
    """Every pixel and label comes back, and there are no other files."""
    decoded = decode_file(path)
    write_png(decoded, tmp_path / "out")
    images, labels, names = _read_png_folder(tmp_path / "out")
    assert np.array_equal(np.stack(images), decoded.images)
    assert labels == decoded.labels.tolist()
    assert names == [decoded.class_names[label] for label in labels]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == len(labels) + 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_arrays_equal_the_decoded_file(path: Path, tmp_path: Path) -> None:
    """`.npz` and `.pt` hold the same arrays, readable without pickled code."""
    decoded = decode_file(path)
    write_npz(decoded, tmp_path / "out.npz")
    write_pt(decoded, tmp_path / "out.pt")
    arrays = np.load(tmp_path / "out.npz", allow_pickle=False)
    tensors = torch.load(tmp_path / "out.pt", weights_only=True)
    assert set(arrays) == set(tensors) == {"images", "labels", "class_names", "mean", "std"}
    for name, value in (("images", decoded.images), ("labels", decoded.labels)):
        assert np.array_equal(arrays[name], value)
        assert np.array_equal(tensors[name].numpy(), value)
    assert tuple(arrays["class_names"]) == tuple(tensors["class_names"]) == decoded.class_names
    assert arrays["mean"].tolist() == tensors["mean"] == [v / 256 for v in decoded.header.mean]
    assert arrays["std"].tolist() == tensors["std"] == [v / 256 for v in decoded.header.std]


def test_ordinary_names_are_kept() -> None:
    """Folders are called what the classes are called."""
    names = ("airplane", "snow leopard", "żółw", "n01440764", "C-3", "1")
    assert class_folders(names) == names


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../../etc", "/etc/passwd", "a/b", "a\\b", "a\0b", "a\nb", "\x1b[31m",
        "CON", "nul.txt", "com1", "labels.csv", "LABELS.CSV", ".hidden", "-rf", "~root", "end.",
        "end ", " start", "a:b", "what?", "x" * 255, "ż" * 127, "dog", "DOG",
    ],
)  # fmt: skip
def test_hostile_names_stay_inside(name: str, tmp_path: Path) -> None:
    """Whatever a class is called, its folder is a plain name of its own."""
    decoded = _named("Dog", name, "1-dog")
    folders = class_folders(decoded.class_names)
    assert len({folder.casefold() for folder in folders}) == 3
    for number, folder in enumerate(folders):
        assert folder.startswith(f"{number}") and "/" not in folder and "\0" not in folder
        assert len(folder.encode()) <= 110
    write_png(decoded, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    images, labels, _ = _read_png_folder(tmp_path / "out")
    assert np.array_equal(np.stack(images), decoded.images)
    assert labels == decoded.labels.tolist()


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    """An existing output stays as it is without `force`."""
    decoded = _golden("grey")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for name, write in (("out.npz", write_npz), ("out.pt", write_pt)):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match="--force"):
            write(decoded, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(OutputError, match="--force"):
        write_png(decoded, tmp_path / "out")
    with pytest.raises(OutputError, match="not written by ddc decode"):
        write_png(decoded, tmp_path / "out", force=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="is a file"):
        write_png(decoded, tmp_path / "out.npz", force=True)


def test_force_replaces_only_an_export(tmp_path: Path) -> None:
    """An earlier export is replaced whole; one the user added to is kept."""
    out = tmp_path / "out"
    out.mkdir()
    write_png(_golden("colour"), out)  # an empty folder holds nothing to lose
    write_png(_golden("grey"), out, force=True)
    images, _, _ = _read_png_folder(out)
    assert len(images) == 1 and len(list(out.rglob("*.png"))) == 1
    (out / "cat" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not written by ddc decode"):
        write_png(_golden("colour"), out, force=True)
    assert (out / "cat" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_failure_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails half-way, the earlier export is still there and nothing else is."""
    out = tmp_path / "out"
    write_png(_golden("grey"), out)
    before = sorted(out.rglob("*"))

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_png(_golden("colour"), out, force=True)
    assert sorted(out.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_output_is_checked_first(tmp_path: Path) -> None:
    """Missing folders, files in the place of folders and strange paths are named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no folder"):
        check_output(tmp_path / "none" / "x.ddc", force=True)
    with pytest.raises(OutputError, match="no folder"):
        check_output(tmp_path / "file" / "x.ddc", force=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, force=True)
    with pytest.raises(OutputError, match="Cannot write"):
        check_output(tmp_path / "a\0b", force=True)
    with pytest.raises(OutputError, match="Cannot write"):
        check_output(tmp_path / ("x" * 300), force=True)
    check_output(tmp_path / "file", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no files is noticed before the work."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "x.ddc", force=False)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_contact_sheet_shows_the_pixels(path: Path, tmp_path: Path) -> None:
    """Each image stands in its class's row, every pixel `scale` times as large."""
    decoded = decode_file(path)
    scale, per_class = 3, 2
    size = write_contact_sheet(decoded, tmp_path / "sheet.png", per_class, scale)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    assert sheet.shape == (size[1], size[0], 3)
    header = decoded.header
    row_height = (size[1] - MARGIN) // header.num_classes
    cell_width = scale * header.width + MARGIN
    columns = min(per_class, int(np.bincount(decoded.labels).max()))
    left = size[0] - columns * cell_width
    for label in range(header.num_classes):
        members = np.flatnonzero(decoded.labels == label)[:columns]
        for column, index in enumerate(members):
            top, start = MARGIN + label * row_height, left + column * cell_width
            cell = sheet[top : top + scale * header.height, start : start + scale * header.width]
            picture = decoded.images[index].transpose(1, 2, 0)
            picture = np.broadcast_to(picture, (*picture.shape[:2], 3))
            assert np.array_equal(cell, picture.repeat(scale, 0).repeat(scale, 1))


def test_contact_sheet_takes_any_name() -> None:
    """Control characters and long names are drawn, not obeyed."""
    sheet = draw_contact_sheet(_named("a\nb\0", "x" * 255, ""), 1, 1)
    assert sheet.width < 400


def test_contact_sheet_is_bounded() -> None:
    """A sheet of absurd size is refused."""
    with pytest.raises(RecipeError, match="too large"):
        draw_contact_sheet(_golden("colour"), per_class=2, scale=10_000)
