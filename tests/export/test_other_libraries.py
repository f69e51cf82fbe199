"""What other libraries make of an export: the same pixels, labels and names, in the same order."""

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export.golden_files import GOLDEN
from PIL import Image

from ddcodec.codec.decode import decode_bytes, decode_symbols
from ddcodec.export import ExportSource, class_folders, write_export
from ddcodec.export.folder_names import unique_names
from ddcodec.training_set import load

WHY = "needs the extra `interop`"
NAMES = ("pixels", "wavelet", "grey", "sets")


@cache
def torchvision() -> Any:
    """Return torchvision, also where its compiled operators are of another torch than is there.

    Those are for detection, and nothing here calls them; but without their names it is not even
    imported.
    """
    if find_spec("torchvision") is None:
        pytest.skip(WHY)
    try:
        import_module("torchvision.datasets")
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        for name in ("torchvision::nms", "torchvision::qnms"):
            torch.library.define(name, "(Tensor dets, Tensor scores, float limit) -> Tensor")
        import_module("torchvision.datasets")
    return import_module("torchvision")


def written(name: str, kind: str, tmp_path: Path) -> Path:
    """Write a golden file in some format."""
    target = tmp_path / {"parquet": "x.parquet"}.get(kind, "x")
    symbols = decode_symbols(GOLDEN[0].with_name(f"{name}.ddc").read_bytes())
    write_export(ExportSource.of(symbols), target, kind)
    return target


def expected(name: str) -> tuple[list[np.ndarray], list[int], tuple[str, ...]]:
    """Return what the file decodes to, images H×W×C or H×W, as pictures have them."""
    decoded = decode_bytes(GOLDEN[0].with_name(f"{name}.ddc").read_bytes())
    images = decoded.images.transpose(0, 2, 3, 1)
    if images.shape[3] == 1:
        images = images[..., 0]
    return list(images), decoded.labels.tolist(), decoded.class_names


def check(found: Iterator[tuple[Any, int]], name: str) -> None:
    """Compare pictures and labels with those of a golden file."""
    pictures, labels = zip(*found, strict=True)
    images, right, _ = expected(name)
    assert list(labels) == right
    for picture, image in zip(pictures, images, strict=True):
        assert np.array_equal(np.asarray(picture), image)


@pytest.mark.parametrize("name", NAMES)
def test_image_folder_of_torchvision(name: str, tmp_path: Path) -> None:
    """`ImageFolder` numbers the class folders as the file numbers its classes."""
    folder = torchvision().datasets.ImageFolder(
        str(written(name, "png", tmp_path)), loader=Image.open, allow_empty=True
    )
    check((folder[index] for index in range(len(folder))), name)
    assert tuple(folder.classes) == class_folders(expected(name)[2])


def test_transforms_of_torchvision() -> None:
    """Pictures of a training set pass through its transforms, also in worker processes."""
    transforms = torchvision().transforms
    whole = load(GOLDEN[0].with_name("wavelet.ddc"))
    to_tensor = transforms.Compose([transforms.RandomCrop(8), transforms.ToTensor()])
    loader = torch.utils.data.DataLoader(whole.to_torchvision(to_tensor), 2, num_workers=2)
    batches = list(loader)
    assert [len(images) for images, _ in batches] == [2, 1]
    assert batches[0][0].shape == (2, 3, 8, 8) and batches[0][0].dtype == torch.float32
    assert torch.cat([labels for _, labels in batches]).tolist() == whole.labels.tolist()


@pytest.mark.parametrize("kind", ["hf", "parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_datasets_of_hugging_face(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`load_dataset` reads the folder and the table, with class names, without a network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason=WHY)
    path, cache = written(name, kind, tmp_path), str(tmp_path / "cache")
    if kind == "hf":
        found = datasets.load_dataset(str(path), split="train", cache_dir=cache)
    else:
        found = datasets.load_dataset(
            "parquet", data_files=str(path), split="train", cache_dir=cache
        )
    check(((row["image"], row["label"]) for row in found), name)
    assert tuple(found.features["label"].names) == unique_names(expected(name)[2])


@pytest.mark.parametrize("name", NAMES)
def test_shards_of_webdataset(name: str, tmp_path: Path) -> None:
    """The shards are samples of a picture and a number."""
    webdataset = pytest.importorskip("webdataset", reason=WHY)
    shards = sorted(map(str, written(name, "webdataset", tmp_path).glob("*.tar")))
    found = webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("png", "cls")
    mode = "L" if load(GOLDEN[0].with_name(f"{name}.ddc")).images.shape[1] == 1 else "RGB"
    check(((picture.convert(mode), label) for picture, label in found), name)
