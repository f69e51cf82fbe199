"""Read what is plain in a pickle: no object is made but numbers, strings, containers and bytes.

Python's own unpickler builds whatever a file asks for. Even held to NumPy's arrays it lets a file
put bytes of its choice where an array of objects has its pointers. Here the operations are read one
by one (`pickletools`, which runs nothing) and what is called in the file is never called; of an
array its shape, type and bytes are kept, for `PickledArray.as_bytes` to make something of.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UINT8 = ("u1", "|u1")
_MARK = object()


@dataclass(frozen=True)
class _Name:
    """What a file calls `module.name`."""

    module: str
    name: str


@dataclass
class _Call:
    """What a file would have called, and the state it would have given the result."""

    called: _Name
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass
class PickledArray:
    """A NumPy array as a file describes it.

    Attributes:
        shape: of it.
        dtype: what the file calls its type.
        data: its bytes, in C order.
    """

    shape: tuple[int, ...]
    dtype: str
    data: bytes = field(repr=False)

    def as_bytes(self) -> NDArray[np.uint8] | None:
        """Return the array if it is one of uint8, else None."""
        if self.dtype not in _UINT8 or len(self.data) != prod(self.shape):
            return None
        return np.frombuffer(self.data, dtype=np.uint8).reshape(self.shape)


def load_plain(data: bytes) -> Any:
    """Return what a pickle of built-in containers, numbers, strings and arrays holds.

    Strings that Python 2 wrote come back as bytes, arrays as `PickledArray`. Raises
    pickle.UnpicklingError for anything else and for damaged data.
    """
    machine = _Machine()
    try:
        for operation, argument, _ in pickletools.genops(data):
            machine.do(operation.name, argument)
        return machine.result()
    except pickle.UnpicklingError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, RecursionError, OverflowError) as error:
        raise pickle.UnpicklingError(f"damaged: {error}") from error


class _Machine:
    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """Return the one value that is left."""
        (value,) = self._stack
        if value is _MARK or isinstance(value, _Name | _Call):
            raise pickle.UnpicklingError("it holds no value")
        return value

    def do(self, name: str, argument: Any) -> None:
        """Carry out an operation of the pickle machine."""
        if name in _IGNORED:
            return
        if name in _VALUES:
            self._stack.append(_VALUES[name](argument))
        elif name in _PUTS:
            self._memo[argument] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in _GETS:
            self._stack.append(self._memo[argument])
        elif name in _TUPLES:
            count = _TUPLES[name]
            self._stack[len(self._stack) - count :] = [tuple(self._last(count))]
        elif name in _OF_MARKED:
            _OF_MARKED[name](self, self._marked())
        elif name in _OTHERS:
            _OTHERS[name](self)
        else:
            raise pickle.UnpicklingError(f"it asks for {name}")

    def _last(self, count: int) -> list[Any]:
        if count > len(self._stack):
            raise IndexError("an operation lacks its operands")
        return self._stack[len(self._stack) - count :]

    def _marked(self) -> list[Any]:
        """Take what was pushed since the last mark."""
        index = len(self._stack) - 1
        while self._stack[index] is not _MARK:
            index -= 1
            if index < 0:
                raise IndexError("a mark is missing")
        found = self._stack[index + 1 :]
        del self._stack[index:]
        return found

    def _extend(self, items: list[Any]) -> None:
        _expect(self._stack[-1], list).extend(items)

    def _set(self, items: list[Any]) -> None:
        target = _expect(self._stack[-1], dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_expect(key, str | bytes | int)] = value

    def _set_one(self) -> None:
        *_, key, value = self._last(3)
        del self._stack[-2:]
        self._set([key, value])

    def _append_one(self) -> None:
        self._last(2)
        self._extend([self._stack.pop()])

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _stack_global(self) -> None:
        module, name = self._last(2)
        self._stack[-2:] = [_Name(_expect(module, str), _expect(name, str))]

    def _call(self) -> None:
        called, arguments = self._last(2)
        call = _Call(_expect(called, _Name), _expect(arguments, tuple))
        self._stack[-2:] = [_called(call)]

    def _build(self) -> None:
        target, state = self._last(2)
        call = _expect(target, _Call)
        del self._stack[-1]
        array = _array(call, state)
        if array is None:
            call.state = state
            return
        self._stack[-1] = array
        for key, value in self._memo.items():
            if value is call:
                self._memo[key] = array


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} stands where none may")
    return value


def _called(call: _Call) -> Any:
    """Return the bytes that Python 3 writes as a call of `encode`; any other call stays one."""
    if (call.called.module, call.called.name) == ("_codecs", "encode"):
        text, encoding = call.arguments
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"it asks for {encoding}")
        return _expect(text, str).encode("latin-1")
    if call.called not in (*_RECONSTRUCT, _DTYPE):
        raise pickle.UnpicklingError(f"it asks for {call.called.module}.{call.called.name}")
    return call


def _array(call: _Call, state: Any) -> PickledArray | None:
    """Return the array whose state a file gives, None for another object."""
    if call.called not in _RECONSTRUCT:
        return None
    _, shape, dtype, is_fortran, data = _expect(state, tuple)
    kind = _expect(dtype, _Call)
    if kind.called != _DTYPE or is_fortran:
        raise pickle.UnpicklingError("it holds an array of another kind")
    sides = tuple(_expect(side, int) for side in _expect(shape, tuple))
    if min(sides, default=0) < 0:
        raise ValueError("a side is negative")
    name = kind.arguments[0]
    text = name.decode("latin-1") if isinstance(name, bytes) else _expect(name, str)
    return PickledArray(sides, text, bytes(_expect(data, bytes)))


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _global(text: str) -> _Name:
    module, _, name = text.partition(" ")
    return _Name(module, name)


_DTYPE = _Name("numpy", "dtype")
# NumPy moved its rebuilding function; files of either age ask for it under either name.
_RECONSTRUCT = (
    _Name("numpy.core.multiarray", "_reconstruct"),
    _Name("numpy._core.multiarray", "_reconstruct"),
)
_IGNORED = {"PROTO", "FRAME", "STOP"}
_VALUES: dict[str, Callable[[Any], Any]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), int),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _latin),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), str),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), bytes),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
    "GLOBAL": _global,
}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_OF_MARKED: dict[str, Callable[[_Machine, list[Any]], None]] = {
    "APPENDS": _Machine._extend,
    "SETITEMS": _Machine._set,
    "LIST": lambda machine, items: machine._push(items),
    "TUPLE": lambda machine, items: machine._push(tuple(items)),
    "DICT": lambda machine, items: machine._push(dict(zip(items[::2], items[1::2], strict=True))),
}
_OTHERS: dict[str, Callable[[_Machine], None]] = {
    "APPEND": _Machine._append_one,
    "SETITEM": _Machine._set_one,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "BUILD": _Machine._build,
}
