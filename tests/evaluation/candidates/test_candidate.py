"""Training sets of every kind that can be judged, and what is wrong with those that cannot."""

import io
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import ddcodec
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.datasets.base import Dataset, ImageSplit
from ddcodec.errors import DataError, DdcError
from ddcodec.evaluation.candidates.arrays import FLOAT_RANGES, as_seen
from ddcodec.evaluation.candidates.candidate import Candidate
from ddcodec.evaluation.candidates.read import ReadOptions, read_candidate
from ddcodec.format.limits import DecodeLimits

GOLDEN = Path(__file__).parents[2] / "golden"
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
LABELS = torch.tensor([0, 1, 1, 2])


def _dataset(shape: tuple[int, int, int] = (3, 6, 8), names: str = "abc") -> Dataset:
    split = ImageSplit(np.zeros((3, *shape), np.uint8), np.arange(3))
    return Dataset("letters", tuple(names), split, split, "print")


def _pixels(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (4, 3, 6, 8), generator=generator, dtype=torch.uint8)


def _read(path: Path, real: Dataset | None = None, **options: object) -> Candidate:
    return read_candidate(path, lambda: real or _dataset(), ReadOptions(**options))  # type: ignore[arg-type]


def _npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_a_ddc() -> None:
    """Images, labels by name, statistics and the whole size come from the file."""
    path = GOLDEN / "sets.ddc"
    decoded = decode_bytes(path.read_bytes())
    names = decoded.class_names
    order = tuple(reversed(names))
    real = replace(_dataset(decoded.images.shape[1:]), class_names=order)
    found = _read(path, real)
    assert np.array_equal(found.images, decoded.images)
    assert np.array_equal(found.labels, len(names) - 1 - decoded.labels)
    assert found.kind == ".ddc" and found.size_bytes == path.stat().st_size
    assert found.normalisation is not None
    assert found.normalisation[0][0] == decoded.header.mean[0] / 256
    strange = replace(real, class_names=("cow", *order[1:]))
    with pytest.raises(DataError, match=f"'{names[-1]}' is not a class of 'letters'"):
        _read(path, strange)


def test_the_labeler_of_a_ddc(tmp_path: Path) -> None:
    """Logits stand in the order of the dataset's classes, whatever images are normalised with."""
    decoded = decode_bytes((GOLDEN / "labeler.ddc").read_bytes())
    header = replace(decoded.header, has_class_names=True)
    content = replace(decoded.content, class_names=("ant", "bee", "cat"))
    path = tmp_path / "named.ddc"
    path.write_bytes(encode_content(header, content).data)
    file = ddcodec.load(path)
    assert file.labeler is not None
    real = replace(_dataset(tuple(file.images.shape[1:])), class_names=("cat", "bee", "ant"))
    found = _read(path, real)
    expected, maps = file.labeler.stages(file.normalize())
    assert found.stages is not None and maps
    for mean, std in ((file.mean, file.std), ((0.1,) * 3, (0.7,) * 3)):
        training = found.labelled((mean, std))
        assert training.label_mode == "labeler"
        assert training.labeler is not None and training.stages is not None
        seen = training.normalised(torch.device("cpu"))
        logits, same_maps = training.stages(seen)
        assert torch.equal(logits, training.labeler(seen))
        assert torch.allclose(logits, expected.flip(1), rtol=0.05, atol=0.05)
        for values, other in zip(maps, same_maps, strict=True):
            assert torch.allclose(values, other, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("names", ["images labels", "image_syn label_syn", "x y", "data targets"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_arrays_in_both_orders(tmp_path: Path, names: str, layout: str, suffix: str) -> None:
    """Pixels come out N×C×H×W, whatever they are called and however they lie."""
    images = _pixels() if layout == "NCHW" else _pixels().permute(0, 2, 3, 1)
    held = dict(zip(names.split(), (images, LABELS), strict=True))
    path = tmp_path / f"set{suffix}"
    if suffix == ".npz":
        _npz(path, **held)
    else:
        torch.save(held, path)
    found = _read(path)
    assert torch.equal(found.images, _pixels()) and torch.equal(found.labels, LABELS)
    assert (found.kind, found.size_bytes) == (suffix, path.stat().st_size)
    assert found.soft_labels is None and found.normalisation is None


@pytest.mark.parametrize("held", ["pair", "list of images", "experiments of DC"])
def test_other_forms_of_pt(tmp_path: Path, held: str) -> None:
    """A pair, single images in a list and the files of DC are read."""
    seen = torch.randn(4, 3, 6, 8)
    contents: object = {
        "pair": (_pixels(), LABELS),
        "list of images": {"images": list(_pixels()), "labels": LABELS.to(torch.int32)},
        "experiments of DC": {"data": [[seen, LABELS], [seen, LABELS]], "accs_all_exps": {"a": []}},
    }[held]
    torch.save(contents, tmp_path / "set.pt")
    float_range = "normalised" if held.startswith("experiments") else None
    found = _read(tmp_path / "set.pt", float_range=float_range)
    assert torch.equal(found.images, seen if float_range else _pixels())
    assert torch.equal(found.labels, LABELS)


def test_labels_in_a_file_of_their_own(tmp_path: Path) -> None:
    """Two files of tensors, as trajectory matching writes them, count with both sizes."""
    torch.save(_pixels(), tmp_path / "images_best.pt")
    torch.save(LABELS, tmp_path / "labels_best.pt")
    np.save(tmp_path / "labels.npy", LABELS.numpy())
    for name in ("labels_best.pt", "labels.npy"):
        found = _read(tmp_path / "images_best.pt", labels=tmp_path / name)
        assert torch.equal(found.labels, LABELS)
        sizes = (tmp_path / "images_best.pt").stat().st_size, (tmp_path / name).stat().st_size
        assert found.size_bytes == sum(sizes)


def test_soft_labels(tmp_path: Path) -> None:
    """Probabilities are kept, logits become probabilities, hard labels are the likeliest."""
    rows = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]])
    found = _read(_npz(tmp_path / "a.npz", images=_pixels(), labels=rows))
    assert found.soft_labels is not None and torch.equal(found.soft_labels, rows)
    assert torch.equal(found.labels, LABELS)
    logits = (rows + 0.01).log() * 2
    found = _read(_npz(tmp_path / "b.npz", images=_pixels(), labels=LABELS, soft_labels=logits))
    assert found.soft_labels is not None
    assert torch.allclose(found.soft_labels, logits.softmax(1))
    assert found.labelled((MEAN, STD)).label_mode == "soft"


def test_names_and_statistics_of_arrays(tmp_path: Path) -> None:
    """Class names map labels, and mean and std go with the images, as `ddc decode` writes them."""
    path = _npz(
        tmp_path / "a.npz", images=_pixels(), labels=LABELS, class_names=list("cba"),
        mean=MEAN, std=STD,
    )  # fmt: skip
    found = _read(path)
    assert found.labels.tolist() == [2, 1, 1, 0]
    assert found.normalisation == (list(MEAN), list(STD))


@pytest.mark.parametrize("float_range", FLOAT_RANGES)
def test_float_images_lose_nothing(tmp_path: Path, float_range: str) -> None:
    """Networks see pixels of every range as (x − mean) / std, neither rounded nor clipped."""
    unit = _pixels().double() / 255
    mean, std = (torch.tensor(values)[:, None, None].double() for values in (MEAN, STD))
    stored = {
        "unit": unit,
        "signed": 2 * unit - 1,
        "pixels": 255 * unit,
        "normalised": (unit - mean) / std,
    }[float_range]
    path = _npz(tmp_path / "a.npz", images=stored, labels=LABELS)
    training = _read(path, float_range=float_range).labelled((MEAN, STD))
    seen = training.normalised(torch.device("cpu"))
    assert seen.dtype == torch.float32
    assert torch.allclose(seen.double(), (unit - mean) / std, atol=1e-4)


@given(st.sampled_from([n for n in FLOAT_RANGES if n != "normalised"]), st.floats(0, 1))
def test_ranges_meet_at_their_ends(name: str, part: float) -> None:
    """The same place in any range is the same brightness."""
    low, high = FLOAT_RANGES[name]
    image = torch.full((1, 1, 1, 1), low + part * (high - low), dtype=torch.float64)
    assert float(as_seen(image, name, ((0.0,), (1.0,)))) == pytest.approx(part, abs=1e-5)


def _folder(path: Path, names: str = "abc") -> Path:
    for name in names:
        (path / name).mkdir(parents=True)
        pixels = np.full((6, 8, 3), ord(name), np.uint8)
        Image.fromarray(pixels).save(path / name / "0.png")
    return path


def test_folders_and_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Class folders, and an archive of them, are read, classes by name."""
    monkeypatch.setenv("DDC_CACHE", str(tmp_path / "cache"))
    folder = _folder(tmp_path / "set")
    real = _dataset(names="cab")
    found = _read(folder, real)
    assert found.images[:, 0, 0, 0].tolist() == [97, 98, 99]
    assert found.labels.tolist() == [1, 2, 0]
    assert found.kind == "folder"
    assert found.size_bytes == sum(p.stat().st_size for p in folder.rglob("*.png"))
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder))
    packed = _read(archive, real)
    assert (packed.kind, packed.size_bytes) == ("archive", archive.stat().st_size)
    assert torch.equal(packed.images, found.images)


def test_the_list_of_a_decoded_folder(tmp_path: Path) -> None:
    """What ddc decode lists is read with the names of the list, classes may be missing."""
    folder = _folder(tmp_path / "set")
    listed = "filename,label,class\nb/0.png,0,c\na/0.png,1,a\n"
    (folder / "labels.csv").write_text(listed)
    found = _read(folder)
    assert found.images[:, 0, 0, 0].tolist() == [98, 97] and found.labels.tolist() == [2, 0]
    assert found.size_bytes == sum((folder / f"{n}/0.png").stat().st_size for n in "ab")
    (folder / "labels.csv").write_text("filename,label,class\nb/0.png,1,1\na/0.png,2,2\n")
    assert _read(folder).labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("listed", "pattern"),
    [
        ("", "not the list"),
        ("a,b,c\n", "not the list"),
        ("filename,label,class\n", "lists no images"),
        ("filename,label,class\na/0.png,1\n", "not the list"),
        ("filename,label,class\na/0.png,x,a\n", "damaged"),
        ("filename,label,class\nz/0.png,0,a\n", "Cannot read"),
        ("filename,label,class\n../secret.png,0,a\n", "outside the folder"),
        ("filename,label,class\na/0.png,0,z\n", "'z' is not a class of 'letters'"),
    ],
)
def test_wrong_lists(tmp_path: Path, listed: str, pattern: str) -> None:
    """A list that does not fit what is there is refused in a sentence."""
    folder = _folder(tmp_path / "set")
    shutil.copy(folder / "a" / "0.png", tmp_path / "secret.png")
    (folder / "labels.csv").write_text(listed)
    with pytest.raises(DataError, match=pattern):
        _read(folder)


@pytest.mark.parametrize(
    ("arrays", "pattern"),
    [
        ({"labels": LABELS}, "no 'images'"),
        ({"images": _pixels()}, "--labels"),
        ({"images": _pixels(), "labels": LABELS[1:]}, "as many labels"),
        ({"images": _pixels()[:, :2], "labels": LABELS}, "not N images of 3x6x8"),
        ({"images": _pixels()[:, :, :4], "labels": LABELS}, "not N images of 3x6x8"),
        ({"images": _pixels().double(), "labels": LABELS}, "--float-range"),
        ({"images": _pixels().long() + 1, "labels": LABELS}, "0 … 255"),
        ({"images": _pixels().double() * float("nan"), "labels": LABELS}, "--float-range"),
        ({"images": _pixels() > 3, "labels": LABELS}, "store uint8"),
        ({"images": _pixels()[:0], "labels": LABELS[:0]}, "no images"),
        ({"images": _pixels(), "labels": LABELS + 0.5}, "whole numbers"),
        ({"images": _pixels(), "labels": LABELS - 1}, "0…2, not -1…1"),
        ({"images": _pixels(), "labels": LABELS + 5}, "0…2, not 5…7"),
        ({"images": _pixels(), "labels": torch.eye(4)}, r"\(4, 3\), not \(4, 4\)"),
        ({"images": _pixels(), "labels": torch.full((4, 3), float("inf"))}, "finite"),
        ({"images": _pixels(), "labels": torch.ones(4, 3, dtype=torch.int64)}, "must be floats"),
        ({"images": _pixels(), "labels": LABELS, "class_names": list("abz")}, "'z' is not a class"),
        ({"images": _pixels(), "labels": LABELS, "class_names": list("ab")}, "has 2 classes"),
        ({"images": _pixels(), "labels": LABELS, "class_names": list("aab")}, "several classes"),
        ({"images": _pixels(), "labels": LABELS + 5, "class_names": list("cba")}, "0…2"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".pt"])
def test_wrong_arrays(tmp_path: Path, arrays: dict[str, object], pattern: str, suffix: str) -> None:
    """Arrays that do not fit each other or the dataset are refused in a sentence."""
    path = tmp_path / f"set{suffix}"
    if suffix == ".npz":
        _npz(path, **arrays)
    else:
        torch.save(arrays, path)
    with pytest.raises(DataError, match=pattern):
        _read(path).labelled((MEAN, STD)).check(3)


def test_wrong_files_of_arrays(tmp_path: Path) -> None:
    """Pickled objects, damage, mixed sizes and endless tensors are refused, and nothing runs."""
    np.savez(tmp_path / "objects.npz", images=np.array([{}, []], dtype=object), labels=[0, 1])
    torch.save({"images": _Bomb(), "labels": LABELS}, tmp_path / "bomb.pt")
    ragged = [torch.zeros(3, 6, 8), torch.zeros(3, 7, 8)]
    torch.save({"images": ragged, "labels": LABELS[:2]}, tmp_path / "ragged.pt")
    torch.save({"images": "none", "labels": LABELS}, tmp_path / "text.pt")
    torch.save(7, tmp_path / "number.pt")
    endless = torch.zeros(1).expand(1 << 40)
    torch.save({"images": endless, "labels": LABELS}, tmp_path / "endless.pt")
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "damaged.pt").write_bytes(b"no tensors")
    (tmp_path / "empty.npy").write_bytes(b"")
    patterns = {
        "objects.npz": "not arrays", "bomb.pt": "not arrays", "ragged.pt": "several sizes",
        "text.pt": "no array", "number.pt": "no images", "endless.pt": "--max-bytes",
        "damaged.npz": "damaged", "damaged.pt": "damaged", "empty.npy": "damaged",
        "missing.npz": "No such file", "missing.ddc": "missing.ddc",
    }  # fmt: skip
    for name, pattern in patterns.items():
        with pytest.raises(DdcError, match=pattern):
            _read(tmp_path / name)
    assert not _Bomb.exploded


class _Bomb:
    """What runs code when it is unpickled."""

    exploded = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (_Bomb, "exploded", True)


def test_limits_and_misplaced_options(tmp_path: Path) -> None:
    """Arrays are bounded before they are read; options of arrays are for arrays."""
    path = _npz(tmp_path / "a.npz", images=_pixels(), labels=LABELS)
    with pytest.raises(DataError, match="--max-bytes"):
        _read(path, limits=DecodeLimits(max_bytes=500))
    with pytest.raises(DataError, match="are integers"):
        _read(path, float_range="unit")
    with pytest.raises(DataError, match=r"none\.npy"):
        _read(path, labels=tmp_path / "none.npy")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("images.npy", b"")
    path.write_bytes(stream.getvalue())
    with pytest.raises(DataError, match="damaged"):
        _read(path)
    with pytest.raises(DataError, match="for files of arrays"):
        _read(_folder(tmp_path / "set"), float_range="unit")
