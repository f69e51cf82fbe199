"""What leaves a file reaches the disk whole, in every format, and nothing on the disk is lost."""

import csv
import io
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from export.golden_files import GOLDEN, golden, named
from PIL import Image

from ddcodec.codec.decode import DecodedFile, DecodedSymbols, decode_symbols
from ddcodec.errors import FormatError, OutputError
from ddcodec.export import EXPORTERS, ExportSource, class_folders, write_export
from ddcodec.export.folder_names import unique_names
from ddcodec.export.hugging_face import HuggingFaceFolder
from ddcodec.export.webdataset import WebDatasetShards
from ddcodec.format.limits import DecodeLimits
from ddcodec.training_set import load

FOLDERS = [kind for kind, exporter in EXPORTERS.items() if not exporter.suffix]
FILES = [kind for kind, exporter in EXPORTERS.items() if exporter.suffix]
PARQUET = ("parquet", "hf")


def _write(
    symbols: DecodedSymbols,
    path: Path,
    kind: str,
    numbers: list[int] | None = None,
    force: bool = False,
) -> None:
    if kind in PARQUET:
        pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    chosen = None if numbers is None else np.array(numbers)
    write_export(ExportSource.of(symbols, chosen), path, kind, force)


def _pixels(picture: Image.Image) -> np.ndarray:
    array = np.asarray(picture)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _read_png(folder: Path) -> tuple[list[np.ndarray], list[int]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    images = [_pixels(Image.open(folder / row["filename"])) for row in rows]
    return images, [int(row["label"]) for row in rows]


def _read_npz(path: Path) -> tuple[list[np.ndarray], list[int]]:
    arrays = np.load(path, allow_pickle=False)
    return list(arrays["images"]), arrays["labels"].tolist()


def _read_pt(path: Path) -> tuple[list[np.ndarray], list[int]]:
    tensors = torch.load(path, weights_only=True)
    return list(tensors["images"].numpy()), tensors["labels"].tolist()


def _read_webdataset(folder: Path) -> tuple[list[np.ndarray], list[int]]:
    images, labels = [], []
    for name in json.loads((folder / "dataset.json").read_text())["shards"]:
        with tarfile.open(folder / name) as shard:
            for member in shard:
                stream = shard.extractfile(member)
                assert stream is not None
                data = stream.read()
                if member.name.endswith(".png"):
                    images.append(_pixels(Image.open(io.BytesIO(data))))
                else:
                    labels.append(int(data))
    return images, labels


def _read_parquet(path: Path) -> tuple[list[np.ndarray], list[int]]:
    from pyarrow import parquet

    rows = parquet.read_table(path).to_pylist()
    images = [_pixels(Image.open(io.BytesIO(row["image"]["bytes"]))) for row in rows]
    return images, [row["label"] for row in rows]


def _read_hf(folder: Path) -> tuple[list[np.ndarray], list[int]]:
    parts = [_read_parquet(path) for path in sorted(folder.glob("data/train-*.parquet"))]
    return [i for part in parts for i in part[0]], [label for part in parts for label in part[1]]


READERS = {
    "png": _read_png,
    "npz": _read_npz,
    "pt": _read_pt,
    "webdataset": _read_webdataset,
    "parquet": _read_parquet,
    "hf": _read_hf,
}


def test_every_format_has_a_reader() -> None:
    """The tests below read back all there are."""
    assert set(READERS) == set(EXPORTERS)


@pytest.mark.parametrize("kind", EXPORTERS)
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_everything_comes_back(path: Path, kind: str, tmp_path: Path) -> None:
    """Every pixel and label, decoded batch by batch, and nothing is left beside the output."""
    symbols = decode_symbols(path.read_bytes())
    decoded = golden(path.stem)
    _write(symbols, tmp_path / "out", kind)
    images, labels = READERS[kind](tmp_path / "out")
    assert np.array_equal(np.stack(images), decoded.images)
    assert labels == decoded.labels.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", EXPORTERS)
def test_a_selection_comes_back(kind: str, tmp_path: Path) -> None:
    """Selected images keep their order and their labels."""
    decoded = golden("sets")
    _write(decoded, tmp_path / "out", kind, [0, 3, 5])
    images, labels = READERS[kind](tmp_path / "out")
    assert np.array_equal(np.stack(images), decoded.images[[0, 3, 5]])
    assert labels == decoded.labels[[0, 3, 5]].tolist()


@pytest.mark.parametrize("kind", EXPORTERS)
@pytest.mark.parametrize("numbers", [None, [0, 2]])
def test_renditions_come_back(kind: str, numbers: list[int] | None, tmp_path: Path) -> None:
    """Every image as often as asked for, one after another, as `ddcodec.load` has them."""
    if kind in PARQUET:
        pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    path = GOLDEN[0].with_name("wavelet.ddc")
    symbols, drawn = decode_symbols(path.read_bytes()), load(path, renditions=3)
    chosen = np.arange(len(symbols.labels)) if numbers is None else np.array(numbers)
    write_export(ExportSource(symbols, chosen, 3), tmp_path / "out", kind)
    images, labels = READERS[kind](tmp_path / "out")
    rows = (3 * chosen[:, None] + np.arange(3)).reshape(-1)
    assert np.array_equal(np.stack(images), drawn.images.numpy()[rows])
    assert labels == drawn.labels[rows].tolist()


def test_renditions_have_bounds() -> None:
    """Pixels have one rendition only, and limits hold for renditions, too."""
    pixels = ExportSource(
        decode_symbols(GOLDEN[0].with_name("pixels.ddc").read_bytes()), np.array([0]), 2
    )
    with pytest.raises(FormatError, match="have one rendition only"):
        list(pixels.batches())
    symbols = decode_symbols(GOLDEN[0].with_name("wavelet.ddc").read_bytes())
    with pytest.raises(FormatError, match="MB of memory, over the 1 MB allowed; give --max-bytes"):
        list(ExportSource(symbols, np.array([0]), 2, DecodeLimits(max_bytes=10**6)).items())


@pytest.mark.parametrize("kind", EXPORTERS)
def test_batches_of_one_image(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only one image is decoded at a time, the result is the same."""
    monkeypatch.setattr("ddcodec.codec.decode.BATCH_PIXELS", 1)
    symbols = decode_symbols(GOLDEN[0].with_name("sets.ddc").read_bytes())
    assert {len(images) for images in symbols.image_batches()} == {1}
    _write(symbols, tmp_path / "out", kind, [1, 2, 5])
    images, _ = READERS[kind](tmp_path / "out")
    assert np.array_equal(np.stack(images), golden("sets").images[[1, 2, 5]])


@pytest.mark.parametrize("kind", EXPORTERS)
def test_damage_found_at_the_end_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """The checksum of the pixels is checked before the output appears under its name."""
    symbols = decode_symbols(GOLDEN[0].with_name("sets.ddc").read_bytes())
    container = replace(symbols.container, content_crc=symbols.container.content_crc ^ 1)
    with pytest.raises(FormatError, match="does not match its checksum"):
        _write(replace(symbols, container=container), tmp_path / "out", kind)
    assert list(tmp_path.iterdir()) == []


def test_arrays_hold_all_facts(tmp_path: Path) -> None:
    """`.npz` and `.pt` have names and normalisation, readable without pickled code."""
    decoded = golden("escapes")
    _write(decoded, tmp_path / "out.npz", "npz")
    _write(decoded, tmp_path / "out.pt", "pt")
    arrays = np.load(tmp_path / "out.npz", allow_pickle=False)
    tensors = torch.load(tmp_path / "out.pt", weights_only=True)
    assert set(arrays) == set(tensors) == {"images", "labels", "class_names", "mean", "std"}
    assert tuple(arrays["class_names"]) == tuple(tensors["class_names"]) == decoded.class_names
    assert arrays["mean"].tolist() == tensors["mean"] == [125 / 256, 123 / 256, 114 / 256]
    assert arrays["std"].tolist() == tensors["std"] == [63 / 256, 62 / 256, 67 / 256]
    assert arrays["images"].dtype == np.uint8 and arrays["labels"].dtype == np.int64


def test_png_table_keeps_names_and_only_wanted_folders(tmp_path: Path) -> None:
    """Of a selection, classes without an image have no folder; names stay as they are."""
    decoded = named("cat", "dog", "owl")
    first_of_each = [int(np.flatnonzero(decoded.labels == label)[0]) for label in (0, 2)]
    _write(decoded, tmp_path / "out", "png", first_of_each)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "cat",
        "labels.csv",
        "owl",
    ]
    table = (tmp_path / "out" / "labels.csv").read_text()
    assert table == "filename,label,class\ncat/0000.png,0,cat\nowl/0000.png,2,owl\n"


def test_webdataset_shards(tmp_path: Path) -> None:
    """Members of one image follow each other, shards are cut by size, bytes are repeatable."""
    source = ExportSource.of(golden("sets"))
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        WebDatasetShards(shard_bytes=4 * 1024).write(source, tmp_path / name)
    description = json.loads((tmp_path / "first" / "dataset.json").read_text())
    assert description["shards"] == ["shard-000000.tar", "shard-000001.tar", "shard-000002.tar"]
    assert description["images"] == 6 and len(description["class_names"]) == 3
    with tarfile.open(tmp_path / "first" / "shard-000001.tar") as shard:
        assert shard.getnames()[:3] == ["00000002.png", "00000002.cls", "00000003.png"]
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_hugging_face_shards(tmp_path: Path) -> None:
    """Shards are numbered as the library numbers them, and together hold every image once."""
    pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")
    decoded = golden("sets")
    HuggingFaceFolder(shard_bytes=4 * decoded.images[0].size).write(
        ExportSource.of(decoded), tmp_path
    )
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    images, labels = _read_hf(tmp_path)
    assert np.array_equal(np.stack(images), decoded.images) and labels == decoded.labels.tolist()


@pytest.mark.parametrize("kind", PARQUET)
def test_hugging_face_library_reads_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load_dataset` finds pictures, labels and any class names, without a network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs the extra `interop`")
    datasets.disable_progress_bars()
    decoded = named('a "b": \x1b[31m\n', "dog", "DOG")
    out = tmp_path / f"out.{kind}"
    _write(decoded, out, kind)
    cache = str(tmp_path / "cache")
    if kind == "hf":
        loaded = datasets.load_dataset(str(out), cache_dir=cache)["train"]
    else:
        loaded = datasets.load_dataset("parquet", data_files=str(out), cache_dir=cache)["train"]
    assert loaded.features["label"].names == list(unique_names(decoded.class_names))
    assert loaded["label"][:] == decoded.labels.tolist()
    images = np.stack([_pixels(row["image"]) for row in loaded])
    assert np.array_equal(images, decoded.images)


@pytest.mark.parametrize("kind", PARQUET)
def test_missing_library_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow the sentence says what to install, and nothing is left."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match=r"pip install 'ddcodec\[parquet\]'"):
        write_export(ExportSource.of(golden("grey")), tmp_path / "out", kind)
    assert list(tmp_path.iterdir()) == []


def test_ordinary_names_are_kept() -> None:
    """Folders are called what the classes are called."""
    names = ("1", "C-3", "airplane", "n01440764", "snow leopard", "żółw")
    assert class_folders(names) == names


def test_folders_sort_as_classes_do() -> None:
    """Programs that number class folders in the order of their names come to the same numbers."""
    assert class_folders(("cat", "bird")) == ("0-cat", "1-bird")
    numbers = tuple(map(str, range(11)))
    assert class_folders(numbers) == tuple(f"{label:02}" for label in range(11))
    assert class_folders(("a", "B")) == ("0-a", "1-B")


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
    decoded = named("Dog", name, "1-dog")
    folders = class_folders(decoded.class_names)
    assert len({folder.casefold() for folder in folders}) == 3
    for number, folder in enumerate(folders):
        assert folder.startswith(f"{number}") and "/" not in folder and "\0" not in folder
        assert len(folder.encode()) <= 110
    _write(decoded, tmp_path / "out", "png")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    images, labels = _read_png(tmp_path / "out")
    assert np.array_equal(np.stack(images), decoded.images)
    assert labels == decoded.labels.tolist()


@pytest.mark.parametrize("kind", FILES)
def test_no_file_is_replaced_unasked(kind: str, tmp_path: Path) -> None:
    """An existing file stays as it is without `force`, and goes with it."""
    path = tmp_path / "out"
    path.write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        _write(golden("grey"), path, kind)
    assert path.read_text() == "mine"
    _write(golden("grey"), path, kind, force=True)
    assert len(READERS[kind](path)[0]) == 1


@pytest.mark.parametrize("kind", FOLDERS)
def test_no_folder_is_replaced_unasked(kind: str, tmp_path: Path) -> None:
    """A folder of the user's own stays even with `force`, and so does a file."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        _write(golden("grey"), out, kind)
    with pytest.raises(OutputError, match="not written by ddc decode"):
        _write(golden("grey"), out, kind, force=True)
    with pytest.raises(OutputError, match="is a file"):
        _write(golden("grey"), tmp_path / "file", kind, force=True)
    assert (out / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("before", FOLDERS)
@pytest.mark.parametrize("kind", FOLDERS)
def test_force_replaces_only_an_export(before: str, kind: str, tmp_path: Path) -> None:
    """An earlier export of any format is replaced whole; one the user added to is kept."""
    out = tmp_path / "out"
    out.mkdir()
    _write(golden("colour"), out, before)  # an empty folder holds nothing to lose
    _write(golden("grey"), out, kind, force=True)
    assert len(READERS[kind](out)[0]) == 1
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not written by ddc decode"):
        _write(golden("colour"), out, kind, force=True)
    assert (out / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", [*FOLDERS, "parquet"])
def test_failure_leaves_the_old_output(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing fails half-way, the earlier export is still there and nothing else is."""
    out = tmp_path / "out"
    _write(golden("grey"), out, kind)
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OutputError, match=r"Cannot write.*No space left"):
        _write(golden("colour"), out, kind, force=True)
    assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("kind", ["png", "webdataset"])
def test_exports_do_not_hold_all_images(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are written before later images are decoded."""
    monkeypatch.setattr("ddcodec.codec.decode.BATCH_PIXELS", 1)
    symbols: DecodedSymbols = decode_symbols(GOLDEN[0].with_name("sets.ddc").read_bytes())
    assert not isinstance(symbols, DecodedFile)
    written: list[int] = []
    save = Image.Image.save
    decoded: list[int] = []
    batches = DecodedSymbols.image_batches

    def counting(self: DecodedSymbols, numbers: None) -> object:
        for images in batches(self, numbers):
            decoded.append(len(written))
            yield images

    def saving(self: Image.Image, *arguments: object, **settings: object) -> None:
        written.append(1)
        save(self, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(DecodedSymbols, "image_batches", counting)
    monkeypatch.setattr(Image.Image, "save", saving)
    _write(symbols, tmp_path / "out", kind)
    assert decoded == [0, 1, 2, 3, 4, 5]
