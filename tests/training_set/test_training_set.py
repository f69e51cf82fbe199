"""A file as a torch Dataset, and the public names of the package."""

import contextlib
import dataclasses
import io
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import ddcodec
from ddcodec.codec.decode import decode_bytes
from ddcodec.codec.encode import encode_content
from ddcodec.errors import DataError, FormatError
from ddcodec.format.limits import DecodeLimits

ROOT = Path(__file__).parents[2]
GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.ddc"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_load_equals_decode(path: Path) -> None:
    """Images, labels, names and sizes are those of the file."""
    data = path.read_bytes()
    decoded = decode_bytes(data)
    training_set = ddcodec.load(path)
    assert training_set.images.dtype == torch.uint8
    assert training_set.labels.dtype == torch.int64
    assert np.array_equal(training_set.images.numpy(), decoded.images)
    assert np.array_equal(training_set.labels.numpy(), decoded.labels)
    assert training_set.class_names == decoded.class_names
    assert len(training_set) == decoded.header.num_images
    assert training_set.file_size_bytes == len(data)
    assert training_set.bits_per_class == 8 * len(data) / decoded.header.num_classes


def test_normalize_uses_the_header() -> None:
    """Normalised pixels are (x / 255 − mean) / std, mean and std in 1/256 of the range."""
    path = ROOT / "tests" / "golden" / "escapes.ddc"
    training_set = ddcodec.load(str(path))
    assert training_set.mean == (125 / 256, 123 / 256, 114 / 256)
    assert training_set.std == (63 / 256, 62 / 256, 67 / 256)
    expected = training_set.images.double() / 255
    expected = (expected - torch.tensor(training_set.mean, dtype=torch.float64).view(3, 1, 1)) / (
        torch.tensor(training_set.std, dtype=torch.float64).view(3, 1, 1)
    )
    normalized = training_set.normalize()
    assert normalized.dtype == torch.float32
    assert torch.allclose(normalized.double(), expected, atol=1e-5)
    image, label = training_set[4]
    assert torch.equal(image, normalized[4])
    assert label == int(training_set.labels[4]) and isinstance(label, int)


def test_is_a_torch_dataset() -> None:
    """A DataLoader batches it, iteration ends, and it cannot be changed by accident."""
    training_set = ddcodec.load(GOLDEN[0])
    images, labels = next(iter(DataLoader(training_set, batch_size=len(training_set))))
    assert torch.equal(images, training_set.normalize())
    assert torch.equal(labels, training_set.labels)
    assert len([label for _, label in training_set]) == len(training_set)
    with pytest.raises(dataclasses.FrozenInstanceError):
        training_set.labels = labels  # type: ignore[misc]
    assert str(training_set.file_size_bytes) in repr(training_set)


def test_limits_reach_the_decoder() -> None:
    """A bound on the decoded size is kept."""
    with pytest.raises(ddcodec.FormatError, match="max-bytes"):
        ddcodec.load(GOLDEN[0], ddcodec.DecodeLimits(max_bytes=10))


def test_public_names_exist() -> None:
    """Every public name can be imported, is listed, and no other name is invented."""
    for name in ddcodec.__all__:
        assert getattr(ddcodec, name) is not None
        assert name in dir(ddcodec)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ddcodec.nothing


def test_version_is_the_projects() -> None:
    """The version is written twice, and the same both times."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'^version = "(.+)"$', text, re.MULTILINE)
    assert match is not None and match[1] == ddcodec.__version__


def test_names_are_imported_on_first_use() -> None:
    """Light names leave torch alone, in a fresh process."""
    code = (
        "import sys, json, ddcodec; ddcodec.FormatError; light = sorted(sys.modules);"
        "ddcodec.decode_bytes; ddcodec.inspect_file; numeric = sorted(sys.modules);"
        "print(json.dumps([light, numeric]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    light, numeric = json.loads(result.stdout)
    assert not {"torch", "numpy"} & set(light)
    assert "numpy" in numeric and "torch" not in numeric


def _sets() -> ddcodec.TrainingSet:
    return ddcodec.load(GOLDEN[0].with_name("sets.ddc"))


def test_parts_are_training_sets() -> None:
    """Slices, indices, masks and classes give the images numpy would, and the same items."""
    whole = _sets()
    mask = torch.tensor([False, True, False, False, True, False])
    cases = [(slice(1, 5, 2), [1, 3]), (slice(None, None, -1), [5, 4, 3, 2, 1, 0]), ([], [])]
    cases += [([4, 0, 0], [4, 0, 0]), (np.array([2, -1]), [2, 5]), (mask, [1, 4])]
    for index, rows in cases:
        part = whole[index]
        assert torch.equal(part.images, torch.stack([*whole.images])[rows])
        assert part.labels.tolist() == [int(whole.labels[row]) for row in rows]
        assert part.class_names == whole.class_names and len(part) == len(rows)
    assert torch.equal(whole[[4, 0]][0][0], whole[4][0])
    assert torch.equal(whole[torch.tensor(3)][0], whole[np.int64(3)][0])
    with pytest.raises(IndexError):
        whole[[6]]
    with pytest.raises(IndexError):
        whole[6]


def test_by_class() -> None:
    """Classes by label or name keep their labels; others do not exist."""
    whole = _sets()
    assert torch.equal(whole.by_class(2).images, whole.images[whole.labels == 2])
    both = whole.by_class(whole.class_names[2], 0)
    assert both.labels.unique().tolist() == [0, 2] and both.num_classes == 3
    for which in (3, -1, "unicorn", "2x"):
        with pytest.raises(ddcodec.DataError, match="no class"):
            whole.by_class(which)


@pytest.mark.parametrize("name", ["sets", "soft", "labeler"])
@pytest.mark.parametrize("renditions", [1, 3])
def test_some_classes_are_loaded_alone(name: str, renditions: int) -> None:
    """As taken out of the whole: images, labels, soft labels; names and labeler stay."""
    path = GOLDEN[0].with_name(f"{name}.ddc")
    whole = ddcodec.load(path, renditions=renditions)
    last = whole.num_classes - 1
    part = ddcodec.load(path, classes=[last], renditions=renditions)
    expected = whole.by_class(last)
    assert len(part) > 0 and torch.equal(part.images, expected.images)
    assert torch.equal(part.labels, expected.labels)
    assert (part.soft_labels is None) == (expected.soft_labels is None)
    if part.soft_labels is not None and expected.soft_labels is not None:
        assert torch.equal(part.soft_labels, expected.soft_labels)
    assert (part.labeler is None) == (whole.labeler is None)
    assert part.class_names == whole.class_names
    assert part.file_size_bytes == whole.file_size_bytes
    assert torch.equal(ddcodec.load(path, classes=f"0-{last}").images, ddcodec.load(path).images)
    with pytest.raises(ddcodec.DataError, match="no class 'unicorn'"):
        ddcodec.load(path, classes="unicorn")


def _brighter(image: torch.Tensor) -> torch.Tensor:
    return image + 1


def test_transform_is_applied_to_items() -> None:
    """Items are transformed after normalisation, in parts too; `normalize` is not."""
    plain = _sets()
    changed = ddcodec.load(GOLDEN[0].with_name("sets.ddc"), transform=_brighter)
    assert torch.equal(changed[2][0], plain[2][0] + 1)
    assert torch.equal(changed[1:][1][0], plain[2][0] + 1)
    assert torch.equal(changed.normalize(), plain.normalize())


def test_workers_and_pickles() -> None:
    """A set can be sent to other processes, as `DataLoader` does."""
    whole = ddcodec.load(GOLDEN[0].with_name("sets.ddc"), transform=_brighter)
    copy = pickle.loads(pickle.dumps(whole))
    assert torch.equal(copy.images, whole.images) and copy.class_names == whole.class_names
    batches = list(DataLoader(whole, batch_size=4, num_workers=2))
    assert torch.equal(torch.cat([images for images, _ in batches]), whole.normalize() + 1)
    assert torch.cat([labels for _, labels in batches]).tolist() == whole.labels.tolist()


@pytest.mark.parametrize("name", ["sets", "grey", "colour"])
def test_to_torchvision(name: str) -> None:
    """Pictures, targets and classes as torchvision names them, with both transforms."""
    whole = ddcodec.load(GOLDEN[0].with_name(f"{name}.ddc"))
    vision = whole.to_torchvision(np.asarray, str)
    assert len(vision) == len(whole) and vision.targets == whole.labels.tolist()
    assert tuple(vision.classes) == whole.class_names
    assert list(vision.class_to_idx.values()) == list(range(whole.num_classes))
    pixels, target = vision[0]
    assert target == str(vision.targets[0])
    image = whole.images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(pixels, image[..., 0] if image.shape[2] == 1 else image)
    assert np.array_equal(pixels, vision.data[0]) and vision.data.dtype == np.uint8
    assert whole.to_torchvision()[0][0].size == (image.shape[1], image.shape[0])


def test_renditions_of_an_image_follow_each_other() -> None:
    """Each image comes as often as asked for, first as itself, and labels go along."""
    path = ROOT / "tests" / "golden" / "soft.ddc"
    plain, drawn = ddcodec.load(path), ddcodec.load(path, renditions=3)
    assert len(drawn) == 3 * len(plain)
    assert torch.equal(drawn.images[::3], plain.images)
    assert not torch.equal(drawn.images[1::3], plain.images)
    assert torch.equal(drawn.labels, plain.labels.repeat_interleave(3))
    assert plain.soft_labels is not None and drawn.soft_labels is not None
    assert torch.equal(drawn.soft_labels[2::3], plain.soft_labels)
    assert drawn.file_size_bytes == plain.file_size_bytes


def test_a_file_advises_renditions(tmp_path: Path) -> None:
    """Without a number as many are drawn as the file says; its advice has names."""
    decoded = decode_bytes((ROOT / "tests" / "golden" / "wavelet.ddc").read_bytes())
    header = dataclasses.replace(decoded.header, hints=((2, 2), (5, 3000)))
    path = tmp_path / "advising.ddc"
    path.write_bytes(encode_content(header, decoded.content).data)
    training_set = ddcodec.load(path)
    assert len(training_set) == header.num_images
    assert training_set.recipe.renditions == 2 and training_set.recipe.adamw_rate == 0.003
    assert len(ddcodec.load(path, renditions=None)) == 2 * header.num_images


def _everything(name: str) -> list[torch.Tensor]:
    """Return all that a program can ask of a training set."""
    whole = ddcodec.load(ROOT / "tests" / "golden" / f"{name}.ddc", renditions=None)
    found = [whole.normalize(), whole[0][0], whole[1:].images, whole.by_class(0).labels]
    if whole.labeler is not None:
        logits, maps = whole.labeler.stages(whole.normalize())
        found += [logits, *maps, whole.labeler.exact_logits(whole.images)]
    return found if whole.soft_labels is None else [*found, whole.soft_labels]


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("name", ["labeler", "soft", "grey"])
@pytest.mark.parametrize(
    "around",
    [
        lambda: torch.device("meta"), torch.inference_mode, torch.no_grad,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: _default_dtype(torch.float64), lambda: _default_dtype(torch.float16),
    ],
    ids=["device", "inference", "no_grad", "autocast", "float64", "float16"],
)  # fmt: skip
def test_defaults_of_a_program_change_nothing(name: str, around: Any) -> None:
    """Another default device or type, or autocast around: the same values of the same type."""
    expected = _everything(name)
    with around():
        found = _everything(name)
    for one, other in zip(found, expected, strict=True):
        assert (one.dtype, one.device) == (other.dtype, other.device)
        assert torch.equal(one, other)


def test_bytes_and_open_files() -> None:
    """A file may also be there as bytes or as a stream, and is wrong in the same sentences."""
    path = ROOT / "tests" / "golden" / "soft.ddc"
    plain, data = ddcodec.load(path), path.read_bytes()
    with path.open("rb") as stream:
        sources = [str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), stream]
        for source in sources:
            assert torch.equal(ddcodec.load(source).images, plain.images)
    for wrong in (data[:-1], io.BytesIO(data[:-1])):
        with pytest.raises(FormatError, match="checksum"):
            ddcodec.load(wrong)
    with pytest.raises(DataError, match="'the open file' is open for reading text"):
        ddcodec.load(io.StringIO("x"))  # type: ignore[arg-type]
    small = DecodeLimits(max_file_bytes=9)
    with pytest.raises(FormatError, match="'the open file' is larger than 9 bytes"):
        ddcodec.load(io.BytesIO(data), small)
