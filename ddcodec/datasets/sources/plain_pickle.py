"""Read what is plain in a pickle: no object is made but numbers, strings, containers and bytes.

Python's own unpickler builds whatever a file asks for. Even held to NumPy's arrays it lets a file
put bytes of its choice where an array of objects has its pointers. Here the operations are read one
by one (`pickletools`, which runs nothing) and what is called in the file is never called; of an
array its shape, type and bytes are kept, for `PickledArray.as_bytes` to make something of.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAX_OPERATIONS = 2**20
"""No file of a dataset takes a third; a list that is made takes sixty times its byte."""

_UINT8 = ("u1", "|u1")
_MARK = object()


@dataclass(frozen=True)
class Name:
    """What a file calls `module.name`."""

    module: str
    name: str


@dataclass
class Call:
    """What a file would have called.

    Attributes:
        called: its name.
        arguments: of the call.
        memos: under which numbers the file keeps the result.
    """

    called: Name
    arguments: tuple[Any, ...]
    memos: list[int] = field(default_factory=list)


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
    return PlainMachine(len(data)).load(io.BytesIO(data))


class PlainMachine:
    """The pickle machine without its calls.

    Args:
        most_encoded_bytes: into which texts may be turned, which is how Python 3 writes bytes for
            Python 2: no more than the file is long, or a text would be turned again and again.
    """

    def __init__(self, most_encoded_bytes: int) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._encoded_bytes = most_encoded_bytes

    def load(self, stream: IO[bytes]) -> Any:
        """Return the one value of the next pickle in a stream; see `load_plain`."""
        self._stack, self._memo = [], {}
        try:
            for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
                if count >= MAX_OPERATIONS:
                    raise pickle.UnpicklingError("it is too long")
                self.do(operation.name, argument)
            (value,) = self._stack
        except pickle.UnpicklingError:
            raise
        except _DAMAGED as error:
            raise pickle.UnpicklingError(f"damaged: {type(error).__name__}") from error
        if value is _MARK or isinstance(value, Name | Call):
            raise pickle.UnpicklingError("it holds no value")
        return value

    def made(self, call: Call) -> Any:
        """Return what stands for the result of a call; raises UnpicklingError for unknown ones."""
        if call.called == _ENCODE:
            return self._encoded(*call.arguments)
        if call.called not in (*_RECONSTRUCT, _DTYPE):
            raise pickle.UnpicklingError(f"it asks for {call.called.module}.{call.called.name}")
        return call

    def persistent(self, value: Any) -> Any:
        """Return what stands for an object that is kept beside the pickle."""
        raise pickle.UnpicklingError("it asks for objects beside it")

    def do(self, name: str, argument: Any) -> None:
        """Carry out an operation of the pickle machine."""
        if name in _IGNORED:
            return
        if name in _VALUES:
            self._stack.append(_VALUES[name](argument))
        elif name in _PUTS:
            self._put(argument)
        elif name == "MEMOIZE":
            self._put(len(self._memo))
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

    def _put(self, number: int) -> None:
        value = self._memo[number] = self._stack[-1]
        if isinstance(value, Call):
            value.memos.append(number)

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
        self._stack[-2:] = [Name(_expect(module, str), _expect(name, str))]

    def _call(self) -> None:
        called, arguments = self._last(2)
        call = Call(_expect(called, Name), _expect(arguments, tuple))
        self._stack[-2:] = [self.made(call)]

    def _encoded(self, text: Any, encoding: Any) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"it asks for {encoding!a:.40}")
        self._encoded_bytes -= len(_expect(text, str))
        if self._encoded_bytes < 0:
            raise pickle.UnpicklingError("it turns texts into more bytes than it has")
        return _latin(text)

    def _refer(self) -> None:
        self._stack[-1:] = [self.persistent(*self._last(1))]

    def _build(self) -> None:
        target, state = self._last(2)
        del self._stack[-1]
        if isinstance(target, dict):
            # Attributes of an OrderedDict.
            return
        call = _expect(target, Call)
        array = _array(call, state)
        if array is None:
            return
        self._stack[-1] = array
        for number in call.memos:
            if self._memo[number] is call:
                self._memo[number] = array
        # Once is enough, however often the file asks.
        call.memos.clear()


def _expect(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} stands where none may")
    return value


def _array(call: Call, state: Any) -> PickledArray | None:
    """Return the array whose state a file gives, None for another object."""
    if call.called not in _RECONSTRUCT:
        return None
    _, shape, dtype, is_fortran, data = _expect(state, tuple)
    kind = _expect(dtype, Call)
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


def _global(text: str) -> Name:
    module, _, name = text.partition(" ")
    return Name(module, name)


_DAMAGED = (
    ValueError, TypeError, IndexError, KeyError, RecursionError, OverflowError, MemoryError,
)  # fmt: skip
_ENCODE = Name("_codecs", "encode")
_DTYPE = Name("numpy", "dtype")
# NumPy moved its rebuilding function; files of either age ask for it under either name.
_RECONSTRUCT = (
    Name("numpy.core.multiarray", "_reconstruct"),
    Name("numpy._core.multiarray", "_reconstruct"),
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
    **dict.fromkeys(("FLOAT", "BINFLOAT"), float),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_TUPLE": lambda _: (),
    "MARK": lambda _: _MARK,
    "GLOBAL": _global,
}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_OF_MARKED: dict[str, Callable[[PlainMachine, list[Any]], None]] = {
    "APPENDS": PlainMachine._extend,
    "SETITEMS": PlainMachine._set,
    "LIST": lambda machine, items: machine._push(items),
    "TUPLE": lambda machine, items: machine._push(tuple(items)),
    "DICT": lambda machine, items: machine._push(dict(zip(items[::2], items[1::2], strict=True))),
}
_OTHERS: dict[str, Callable[[PlainMachine], None]] = {
    "APPEND": PlainMachine._append_one,
    "SETITEM": PlainMachine._set_one,
    "STACK_GLOBAL": PlainMachine._stack_global,
    "REDUCE": PlainMachine._call,
    "BINPERSID": PlainMachine._refer,
    "BUILD": PlainMachine._build,
}
