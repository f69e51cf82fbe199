"""Read the tensors of a `.pt`, of torch's zip or of its format before 2020, without its unpickler.

torch makes whatever kind of tensor a file asks for, of any layout, or of one value that stands for
gigabytes. Here a file is plain values and descriptions of tensors
(`plain_pickle`), and a tensor is made once all of its values are known to be there.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ddcodec.datasets.claims import FREE_BYTES, check_claim
from ddcodec.datasets.sources.plain_pickle import Call, Name, PlainMachine
from ddcodec.datasets.zip_file import opened_zip
from ddcodec.errors import DataError

MAX_PICKLE_BYTES = 2**24
"""Of what says which tensors there are, beside their values."""

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_OLD_BEGINNING = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_MAX_SIDES = 16
_PIECE_BYTES = 2**22

_KINDS = {
    "ByteStorage": torch.uint8, "CharStorage": torch.int8, "BoolStorage": torch.bool,
    "ShortStorage": torch.int16, "IntStorage": torch.int32, "LongStorage": torch.int64,
    "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64,
}  # fmt: skip
_NEW_KINDS = {name: getattr(torch, name) for name in ("uint16", "uint32", "uint64")}


_Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Storage:
    """Where values lie: under which key, of which type, how many; no type where they are bytes."""

    key: str
    dtype: torch.dtype | None
    count: int


@dataclass(frozen=True)
class ClaimedTensor:
    """A tensor as a file describes it."""

    storage: _Storage
    dtype: torch.dtype
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Return how many bytes it takes."""
        return prod(self.shape) * self.dtype.itemsize


class TorchFile:
    """A `.pt` whose tensors are still in it.

    Attributes:
        content: containers, numbers, texts and `ClaimedTensor`.

    Raises:
        Exception: What the standard library raises on damaged files, UnpicklingError for one that
            holds other objects.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file_bytes = path.stat().st_size
        with path.open("rb") as file:
            is_old = file.read(len(_OLD_BEGINNING)) == _OLD_BEGINNING
        self._places: dict[str, int] = {}
        self.content = self._read_old() if is_old else self._read_zip()
        self._is_old = is_old

    def tensors(self, claimed: list[ClaimedTensor], max_bytes: int) -> list[Tensor]:
        """Read tensors of `content`; those that share their storage in the file share it here.

        Raises:
            DataError: They claim more values than the file holds, or more than `max_bytes`.
        """
        total = sum(tensor.num_bytes for tensor in claimed)
        if total > max_bytes:
            raise DataError(
                f"'{self._path}' holds {total:,} bytes of arrays, more than {max_bytes:,}; if you "
                "trust it, raise --max-bytes."
            )
        by_key = {tensor.storage.key: tensor.storage for tensor in claimed}
        held = self._storage_bytes(by_key)
        for tensor in claimed:
            _check_inside(tensor, held[tensor.storage.key], self._path)
        stored = sum(held.values())
        remedy = "save it again with torch.save, which does not compress"
        check_claim(stored, self._file_bytes, f"'{self._path}'", remedy)
        if total > FREE_BYTES + stored:
            raise _repeated(self._path)
        values = self._read_storages(held)
        return [_tensor(tensor, values[tensor.storage.key]) for tensor in claimed]

    def _read_zip(self) -> Any:
        with opened_zip(self._path) as archive:
            (entry,) = (info for info in archive.infolist() if info.filename.endswith("/data.pkl"))
            self._folder = entry.filename.removesuffix("data.pkl")
            if entry.file_size > MAX_PICKLE_BYTES:
                raise pickle.UnpicklingError("it is too long")
            order = f"{self._folder}byteorder"
            if order in archive.namelist() and archive.open(order).read(8).strip() != b"little":
                raise pickle.UnpicklingError("it is of another byte order")
            data = archive.read(entry)
        return _TorchMachine(len(data)).load(io.BytesIO(data))

    def _read_old(self) -> Any:
        with self._path.open("rb") as file:
            head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
        machine = _TorchMachine(len(head.getvalue()))
        magic, version, _, content, keys = (machine.load(head) for _ in range(5))
        if magic != _MAGIC_NUMBER or version != 1001 or not isinstance(keys, list):
            raise pickle.UnpicklingError("it is of another version")
        sizes = {storage.key: storage for storage in machine.storages}
        place = head.tell()
        for key in keys:
            storage = sizes[key]
            # Their number stands before the values once more.
            self._places[key] = place + 8
            place += 8 + storage.count * _dtype_of(storage).itemsize
        return content

    def _storage_bytes(self, storages: Mapping[str, _Storage]) -> dict[str, int]:
        """Return how many bytes of each storage there are."""
        if not self._is_old:
            with opened_zip(self._path) as archive:
                return {key: archive.getinfo(self._record(key)).file_size for key in storages}
        wanted = {key: storages[key].count * _dtype_of(storages[key]).itemsize for key in storages}
        return {
            key: min(size, max(0, self._file_bytes - self._places[key]))
            for key, size in wanted.items()
        }

    def _read_storages(self, held: Mapping[str, int]) -> dict[str, _Bytes]:
        if self._is_old:
            with self._path.open("rb") as file:
                return {
                    key: _filled(_sought(file, self._places[key]), size)
                    for key, size in held.items()
                }
        with opened_zip(self._path) as archive:
            return {key: self._read_record(archive, key, size) for key, size in held.items()}

    def _read_record(self, archive: zipfile.ZipFile, key: str, size: int) -> _Bytes:
        with archive.open(self._record(key)) as file:
            return _filled(file, size)

    def _record(self, key: str) -> str:
        return f"{self._folder}data/{key}"


class _TorchMachine(PlainMachine):
    def __init__(self, most_encoded_bytes: int) -> None:
        super().__init__(most_encoded_bytes)
        self.storages: list[_Storage] = []

    def made(self, call: Call) -> Any:
        maker = _MAKERS.get((call.called.module, call.called.name))
        return super().made(call) if maker is None else maker(*call.arguments)

    def persistent(self, value: Any) -> Any:
        kind, storage_type, key, _, count, *rest = value
        if kind != "storage" or any(part is not None for part in rest) or _whole(count) < 0:
            raise pickle.UnpicklingError("it refers to no storage")
        found = _Storage(_text(key), _storage_dtype(storage_type), count)
        self.storages.append(found)
        return found


def _storage_dtype(kind: Any) -> torch.dtype | None:
    if kind == Name("torch.storage", "UntypedStorage"):
        return None
    if isinstance(kind, Name) and kind.module == "torch" and kind.name in _KINDS:
        return _KINDS[kind.name]
    raise pickle.UnpicklingError("it holds values of another type")


def _tensor_of_kind(
    storage: Any, start: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, *rest: Any
) -> ClaimedTensor:
    """Return what `_rebuild_tensor_v2` would make, and `_rebuild_tensor_v3`, which has a type."""
    if not isinstance(storage, _Storage) or any(rest[1:]):
        raise pickle.UnpicklingError("it holds a tensor of another kind")
    dtype = storage.dtype
    if rest and isinstance(rest[0], Name) and rest[0].module == "torch":
        dtype = _NEW_KINDS.get(rest[0].name)
    elif any(rest):
        dtype = None
    if dtype is None:
        raise pickle.UnpicklingError("it holds values of another type")
    sides, steps = tuple(map(_whole, shape)), tuple(map(_whole, strides))
    if len(sides) != len(steps) or len(sides) > _MAX_SIDES or min((0, *sides, *steps)) < 0:
        raise pickle.UnpicklingError("it holds a tensor of no shape")
    return ClaimedTensor(storage, dtype, max(0, _whole(start)), sides, steps)


def _parameter(data: Any, _grad: Any, _hooks: Any) -> ClaimedTensor:
    if not isinstance(data, ClaimedTensor):
        raise pickle.UnpicklingError("it holds a parameter of no tensor")
    return data


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor_of_kind,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_kind,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): lambda: {},
}


def _whole(value: Any) -> int:
    if not isinstance(value, int) or abs(value) > 2**62:
        raise pickle.UnpicklingError("it has no whole number where one belongs")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise pickle.UnpicklingError("it has no text where one belongs")
    return value


def _dtype_of(storage: _Storage) -> torch.dtype:
    return torch.uint8 if storage.dtype is None else storage.dtype


def _check_inside(tensor: ClaimedTensor, held_bytes: int, path: Path) -> None:
    """Raise DataError for a tensor that is not all in its storage, or that repeats values."""
    held = held_bytes // tensor.dtype.itemsize
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.start + sum(max(0, side - 1) * stride for side, stride in steps)
    if prod(tensor.shape) and last >= held:
        raise DataError(
            f"'{path}' has a tensor of {'x'.join(map(str, tensor.shape))}, but not all of its "
            "values; save it again."
        )
    if prod(tensor.shape) > held:
        raise _repeated(path)


def _repeated(path: Path) -> DataError:
    return DataError(
        f"'{path}' has tensors that repeat the values they store; save them as tensor.clone()."
    )


def _sought(file: IO[bytes], place: int) -> IO[bytes]:
    file.seek(place)
    return file


def _filled(file: IO[bytes], size: int) -> _Bytes:
    """Read `size` bytes; the memory of those that are not there is never touched."""
    values = np.empty(size, dtype=np.uint8)
    done = 0
    while done < size:
        piece = file.read(min(_PIECE_BYTES, size - done))
        if not piece:
            raise EOFError("it ends early")
        values[done : done + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        done += len(piece)
    return values


def _tensor(claimed: ClaimedTensor, values: _Bytes) -> Tensor:
    if not prod(claimed.shape):
        return torch.empty(claimed.shape, dtype=claimed.dtype)
    is_truth = claimed.dtype is torch.bool
    usable = len(values) - len(values) % claimed.dtype.itemsize
    # Bytes other than 0 and 1 are no truth values.
    flat = torch.frombuffer(values[:usable], dtype=torch.uint8 if is_truth else claimed.dtype)
    tensor = flat.as_strided(claimed.shape, claimed.strides, claimed.start)
    return tensor.ne(0) if is_truth else tensor
