"""A file as a torch Dataset, and the public names of the package."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import ddcodec
from ddcodec.codec.decode import decode_bytes

ROOT = Path(__file__).parents[1]
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
