"""`.npz`, `.npy` and `.pt` files as tensors by name; nothing in them is ever run."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddcodec.datasets.in_arrays.stored_array import read_array
from ddcodec.errors import DataError

Arrays = dict[str, Any]
"""Tensors by name, and lists of class names."""

IMAGES = ("images", "image_syn", "x", "data")
LABELS = ("labels", "label_syn", "y", "targets")
SUFFIXES = (".npz", ".npy", ".pt", ".pth")


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
        held = ", ".join(sorted(arrays)) or "nothing"
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
    if path.suffix.lower() == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        _check_size(array.nbytes, max_bytes, path)
        return {"images": _tensor(np.array(array))}
    with zipfile.ZipFile(path) as archive:
        _check_size(sum(info.file_size for info in archive.infolist()), max_bytes, path)
        arrays = {
            name.removesuffix(".npy"): read_array(archive, name.removesuffix(".npy"))
            for name in archive.namelist()
        }
    return {
        name: array.tolist() if array.dtype.kind in "US" else _tensor(array)
        for name, array in arrays.items()
    }


def _tensor(array: "np.ndarray[Any, Any]") -> Tensor:
    # Torch can do little with the unsigned integers that labels are often stored in.
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))


def _read_torch(path: Path, max_bytes: int) -> Arrays:
    held = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(held, dict) and isinstance(held.get("data"), list | tuple) and held["data"]:
        held = held["data"][0]
    if isinstance(held, Tensor):
        held = {"images": held}
    elif isinstance(held, list | tuple) and len(held) == 2:
        held = dict(zip(("images", "labels"), held, strict=True))
    if not isinstance(held, dict):
        raise DataError(f"'{path}' holds no images; save a dict of tensors 'images' and 'labels'.")
    tensors = {str(name): _settled(value) for name, value in held.items()}
    sizes = [
        value.numel() * value.element_size()
        for kept in tensors.values()
        for value in (kept if isinstance(kept, list | tuple) else [kept])
        if isinstance(value, Tensor)
    ]
    _check_size(sum(sizes), max_bytes, path)
    return tensors


def _settled(value: Any) -> Any:
    if isinstance(value, Tensor) and (value.layout is not torch.strided or value.is_quantized):
        return None
    return value.detach() if isinstance(value, Tensor) else value


def _check_size(size: int, max_bytes: int, path: Path) -> None:
    if size > max_bytes:
        raise DataError(
            f"'{path}' holds {size:,} bytes of arrays, more than {max_bytes:,}; if you trust it, "
            "raise --max-bytes."
        )
