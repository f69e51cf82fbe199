"""`.npz`, `.npy` and `.pt` files as tensors by name; nothing in them is ever run."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.claims import check_claim
from ddcodec.datasets.in_arrays.array_labels import MOST_CLASSES
from ddcodec.datasets.in_arrays.stored_array import StoredArray, described, find_array
from ddcodec.datasets.in_arrays.torch_file import ClaimedTensor, TorchFile
from ddcodec.datasets.wording import some_of
from ddcodec.datasets.zip_file import opened_zip
from ddcodec.errors import DataError

Arrays = dict[str, Any]
"""Tensors by name, and lists of class names."""

IMAGES = ("images", "image_syn", "x", "data")
LABELS = ("labels", "label_syn", "y", "targets")
SUFFIXES = (".npz", ".npy", ".pt", ".pth")

_KNOWN = (*IMAGES, *LABELS, "soft_labels", "class_names", "mean", "std")
"""What is read; of whatever else is there only the name is kept."""


def read_arrays(path: Path, max_bytes: int) -> Arrays:
    """Read the arrays of a file.

    A `.pt` may hold a dict, a pair of images and labels, the `{"data": [[images, labels], …]}` of
    DC and its successors, of which the first is taken, or a tensor; the last, like a `.npy`,
    becomes `images`.

    Raises:
        DataError: The file cannot be read, holds anything but arrays, or more than `max_bytes`.
    """
    try:
        return _read_torch(path, max_bytes) if _is_torch(path) else _read_numpy(path, max_bytes)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"Cannot read '{path}': {error.strerror or error}.") from error
    except Exception as error:
        # Readers of damaged files raise almost anything.
        raise DataError(
            f"Cannot read '{path}': it is damaged, or holds objects that are not arrays; save it "
            "again as arrays 'images' and 'labels'."
        ) from error


def pick(arrays: Arrays, names: tuple[str, ...], path: Path) -> Tensor:
    """Return the tensor under the first of the names there is.

    Raises:
        DataError: There is none, or it is no tensor.
    """
    name = next((name for name in names if name in arrays), None)
    if name is None:
        held = some_of(sorted(arrays)) or "nothing"
        raise DataError(f"'{path}' holds {held}, but no '{names[0]}'; save it under that name.")
    found = arrays[name]
    if isinstance(found, Tensor):
        return found
    if isinstance(found, list | tuple) and found and all(isinstance(t, Tensor) for t in found):
        if len({t.shape for t in found}) > 1:
            raise DataError(
                f"'{name}' in '{path}' has images of several sizes; make them one size."
            )
        return torch.stack(tuple(found))
    raise DataError(f"'{name}' in '{path}' is no array; save it as one.")


def _is_torch(path: Path) -> bool:
    return path.suffix.lower() in (".pt", ".pth")


def _read_numpy(path: Path, max_bytes: int) -> Arrays:
    file_bytes = path.stat().st_size
    if path.suffix.lower() == ".npy":
        stored = described(lambda: path.open("rb"), file_bytes)
        _check_size(stored.num_bytes, max_bytes, path)
        return {"images": _tensor(stored.read())}
    with opened_zip(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        found = {name: find_array(archive, name) for name in names if name in _KNOWN}
        total = sum(stored.num_bytes for stored in found.values())
        _check_size(total, max_bytes, path)
        remedy = "save it again with numpy.savez, which does not compress"
        check_claim(total, file_bytes, f"'{path}'", remedy)
        return {
            **dict.fromkeys(names),
            **{name: _read(stored, name, path) for name, stored in found.items()},
        }


def _read(stored: StoredArray, name: str, path: Path) -> Tensor | list[Any]:
    if stored.dtype.kind not in "US":
        return _tensor(stored.read())
    if name == "class_names":
        _check_number(prod(stored.shape), path)
    texts: list[Any] = stored.read().tolist()
    return texts


def _tensor(array: NDArray[Any]) -> Tensor:
    # Torch can do little with the unsigned integers that labels are often stored in.
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=False)
    return torch.from_numpy(native)


def _read_torch(path: Path, max_bytes: int) -> Arrays:
    file = TorchFile(path)
    held = _named(file.content, path)
    kept = {name: value for name, value in held.items() if name in _KNOWN}
    tensors = [tensor for value in kept.values() for tensor in _tensors_of(value)]
    made = iter(file.tensors(tensors, max_bytes))
    found: Arrays = dict.fromkeys(held)
    for name, value in kept.items():
        if isinstance(value, ClaimedTensor):
            found[name] = next(made)
        elif _tensors_of(value):
            found[name] = [next(made) for _ in value]
        elif isinstance(value, list | tuple):
            if name == "class_names":
                _check_number(len(value), path)
            found[name] = list(value)
    return found


def _named(held: Any, path: Path) -> Arrays:
    """Return what a file holds by name; see `read_arrays`."""
    if isinstance(held, dict) and isinstance(held.get("data"), list | tuple) and held["data"]:
        held = held["data"][0]
    if isinstance(held, ClaimedTensor):
        held = {"images": held}
    elif isinstance(held, list | tuple) and len(held) == 2:
        held = dict(zip(("images", "labels"), held, strict=True))
    if not isinstance(held, dict):
        raise DataError(f"'{path}' holds no images; save a dict of tensors 'images' and 'labels'.")
    return {str(name): value for name, value in held.items()}


def _tensors_of(value: Any) -> list[ClaimedTensor]:
    """Return the tensors that a value is, or is a list of."""
    if isinstance(value, ClaimedTensor):
        return [value]
    if isinstance(value, list | tuple) and all(isinstance(t, ClaimedTensor) for t in value):
        return list(value)
    return []


def _check_number(count: int, path: Path) -> None:
    if count > MOST_CLASSES:
        raise DataError(
            f"'{path}' has {count:,} class names; there may be at most {MOST_CLASSES:,}."
        )


def _check_size(size: int, max_bytes: int, path: Path) -> None:
    if size > max_bytes:
        raise DataError(
            f"'{path}' holds {size:,} bytes of arrays, more than {max_bytes:,}; if you trust it, "
            "raise --max-bytes."
        )
