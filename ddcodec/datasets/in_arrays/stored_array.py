"""Read one array out of an `.npz`; nothing in it is believed, and nothing is ever run."""

import zipfile
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**34
"""No array may claim more; it is read into memory."""


def read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read one array after checking what its header claims against what is stored.

    Raises:
        Exception: What the standard library and NumPy raise on damaged or hostile files.
    """
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError("another version")
        first = version == (1, 0)
        read_header = (
            np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = read_header(file)
        num_bytes = prod(shape) * dtype.itemsize
        if dtype.hasobject or num_bytes > min(info.file_size, MAX_BYTES):
            raise ValueError("it claims more than it holds")
        # A stored size may be a lie, too; reading in pieces ends where the data ends.
        data = bytearray()
        while piece := file.read(2**24):
            data += piece
            if len(data) > num_bytes:
                break
        if len(data) != num_bytes:
            raise ValueError("it holds another number of bytes than it claims")
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape, order="F" if is_fortran else "C")
