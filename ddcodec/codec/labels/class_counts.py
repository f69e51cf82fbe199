"""Labels in the file: images sorted by class, so that counts are all there is to code."""

import numpy as np
from numpy.typing import NDArray

from ddcodec.entropy.range_coder import Coder
from ddcodec.errors import FormatError


def code_class_counts(
    coder: Coder, counts: NDArray[np.int64] | None, num_classes: int, num_images: int
) -> NDArray[np.int64]:
    """Code how many images each class has; equal counts cost one bit.

    Raises:
        FormatError: if decoded counts do not add up to the number of images.
    """
    equal = None
    if counts is not None:
        even = num_images % num_classes == 0 and bool(np.all(counts == counts[0]))
        equal = np.array([int(even)])
    if coder.uniform(equal, 2, 1)[0]:
        if num_images % num_classes:
            raise FormatError("The classes cannot be of equal size; the file is damaged.")
        return np.full(num_classes, num_images // num_classes, dtype=np.int64)
    counts = coder.uniform(counts, num_images + 1, num_classes)
    if int(counts.sum()) != num_images:
        raise FormatError("The class counts do not add up; the file is damaged.")
    return counts


def labels_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the label of every image, sorted by class."""
    return np.repeat(np.arange(len(counts), dtype=np.int64), counts)


_END, _UNDERSCORE, _DASH, _SPACE, _DIGIT, _RAW = 0, 27, 28, 29, 30, 31
_FIXED = {ord("_"): _UNDERSCORE, ord("-"): _DASH, ord(" "): _SPACE}
LONGEST_NAME_BYTES = 255


def code_class_names(
    coder: Coder, names: tuple[str, ...] | None, num_classes: int
) -> tuple[str, ...]:
    """Code the names of all classes, about five bits a letter.

    Raises:
        FormatError: if a decoded name is too long or not UTF-8.
    """
    return tuple(
        _code_name(coder, None if names is None else names[index].encode())
        for index in range(num_classes)
    )


def _code_name(coder: Coder, name: bytes | None) -> str:
    coded = bytearray()
    while True:
        byte = None if name is None else (name[len(coded)] if len(coded) < len(name) else -1)
        decoded = _code_byte(coder, byte)
        if decoded < 0:
            break
        coded.append(decoded)
        if len(coded) > LONGEST_NAME_BYTES:
            raise FormatError("A class name is longer than 255 bytes; the file is damaged.")
    try:
        return coded.decode()
    except UnicodeDecodeError as error:
        raise FormatError("A class name is not UTF-8; the file is damaged.") from error


def _code_byte(coder: Coder, byte: int | None) -> int:
    """Code one byte of a name; −1 ends it."""
    letter = None if byte is None else _letter_of(byte)
    letter = _one(coder, letter, 32)
    if letter == _END:
        return -1
    if letter <= 26:
        return ord("a") + letter - 1
    if letter == _DIGIT:
        return ord("0") + _one(coder, None if byte is None else byte - ord("0"), 10)
    if letter == _RAW:
        return _one(coder, byte, 256)
    return {code: char for char, code in _FIXED.items()}[letter]


def _letter_of(byte: int) -> int:
    if byte < 0:
        return _END
    if ord("a") <= byte <= ord("z"):
        return byte - ord("a") + 1
    if ord("0") <= byte <= ord("9"):
        return _DIGIT
    return _FIXED.get(byte, _RAW)


def _one(coder: Coder, value: int | None, size: int) -> int:
    values = None if value is None else np.array([value], dtype=np.int64)
    return int(coder.uniform(values, size, 1)[0])
