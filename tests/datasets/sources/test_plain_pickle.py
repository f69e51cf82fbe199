"""Pickles are read without making what they ask for."""

import os
import pickle
import tracemalloc
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from ddcodec.datasets.sources.plain_pickle import PickledArray, load_plain

PROTOCOLS = pytest.mark.parametrize("protocol", range(5))


@PROTOCOLS
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2, 3], "b": (), "c": (1, (2, 3), [4, 5, 6, 7])}, [True, False, None], "żółw", {},
        {"x": {"y": {"z": [2**70, -5]}}}, [[]], list(range(3000)), {1: "one", "two": 2},
    ],
)  # fmt: skip
def test_plain_values(value: Any, protocol: int) -> None:
    """Containers, numbers and strings come back as they were."""
    assert load_plain(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 5))
def test_bytes_and_arrays(protocol: int) -> None:
    """Bytes come back; of arrays their shape, type and bytes."""
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = load_plain(pickle.dumps({b"raw": b"\x80\xff", b"data": array}, protocol))
    assert found[b"raw"] == b"\x80\xff"
    assert isinstance(found[b"data"], PickledArray)
    pixels = found[b"data"].as_bytes()
    assert pixels is not None and np.array_equal(pixels, array)
    other = load_plain(pickle.dumps(np.arange(3.0), protocol))
    assert (other.shape, other.dtype, other.as_bytes()) == ((3,), "f8", None)


def test_the_same_value_twice() -> None:
    """What a pickle refers to again is one object."""
    shared = [1]
    first, second = load_plain(pickle.dumps([shared, shared]))
    assert first is second


def _array_of(dtype: bytes, shape: bytes, data: bytes) -> bytes:
    """Return a pickled array written by hand."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01"
        + shape + b"cnumpy\ndtype\n(U\x02" + dtype + b"K\x00K\x01tR\x89U"
        + bytes([len(data)]) + data + b"tb."
    )  # fmt: skip


def test_pointers_are_not_made_of_bytes() -> None:
    """An array of objects over bytes of the file's own choice is none of uint8."""
    hostile = load_plain(_array_of(b"O8", b"(K\x01t", b"\x41" * 8))
    assert isinstance(hostile, PickledArray) and hostile.as_bytes() is None
    good = load_plain(_array_of(b"u1", b"(K\x02K\x04t", b"\x41" * 8)).as_bytes()
    assert good is not None and good.shape == (2, 4)
    assert load_plain(_array_of(b"u1", b"(K\x02K\x05t", b"\x41" * 8)).as_bytes() is None


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "data",
    [
        b"", b".", b"junk", b"N", b"NN.", b"0.", b"R.", b"(.", b"t.", b"\x86.", b"a.", b"s.", b"b.",
        b"h\x00.", b"]K\x01K\x02s.", b"}]K\x01s.", b"}(K\x01u.", b"K\x01K\x02a.", b"Nb.", b"NNR.",
        b"cos\nsystem\n(U\x01xtR.", b"cnumpy\nndarray\n)R.", b"\x80\x04\x8c\x02os\x8c\x01x\x93NR.",
        b"(U\x01xios\nsystem\n.", b"cos\nsystem\n)\x81.", b"\x82\x01.", b"Pfoo\n.", b"NQ.",
        b"c_codecs\nencode\n(X\x01\x00\x00\x00xU\x04utf7tR.",
        _array_of(b"u1", b"(J\xff\xff\xff\xfft", b""),
        _array_of(b"u1", b"N", b""), pickle.dumps(_Evil()),
        pickle.dumps(np.asfortranarray(np.eye(3))),
        pickle.dumps(np.float64(1.0)), pickle.dumps({1.5}),
    ],
)  # fmt: skip
def test_everything_else_is_refused(data: bytes) -> None:
    """Calls, instances, extensions, sets, and operations without their operands."""
    with pytest.raises(pickle.UnpicklingError):
        load_plain(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Nr\xff\xff\xff\x1f.",  # a memo of half a billion entries
        b"\x96\xff\xff\xff\xff\x00\x00\x00\x00.",  # a bytearray of 4 GB
        b"B\xff\xff\xff\x7f.", b"T\xff\xff\xff\x7f.", b"\x8e" + b"\xff" * 7 + b"\x00.",
        b"\x8b\xff\xff\xff\x7f.", b"\x95" + b"\xff" * 7 + b"\x00N.",
    ],
)  # fmt: skip
def test_claims_take_no_memory(data: bytes) -> None:
    """Nine bytes that claim gigabytes take none."""
    tracemalloc.start()
    with suppress(pickle.UnpicklingError):
        load_plain(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_deep_nesting() -> None:
    """A million lists in one another are one value, made without recursion."""
    assert load_plain(b"]" * 10**5 + b"a" * (10**5 - 1) + b".") is not None
