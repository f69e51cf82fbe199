"""Read pickled NumPy arrays without letting the file run code."""

from __future__ import annotations

import codecs
import io
import pickle

import numpy as np

# Everything a pickled dict of arrays, lists and byte strings ever names. NumPy moved its
# rebuilding function; files of either age ask for it under either name.
_rebuild_array = np.zeros(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _rebuild_array,
    ("numpy._core.multiarray", "_reconstruct"): _rebuild_array,
    ("_codecs", "encode"): codecs.encode,
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return _ALLOWED[module, name]


def load_arrays(data: bytes) -> object:
    """Unpickle built-in containers, numbers, strings and NumPy arrays, and nothing else.

    Strings written by Python 2 come back as bytes. Raises pickle.UnpicklingError for anything
    else and for damaged data.
    """
    try:
        return _RestrictedUnpickler(io.BytesIO(data), encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:
        # Damaged pickles raise almost anything, from AttributeError to MemoryError.
        raise pickle.UnpicklingError(str(error)) from error
