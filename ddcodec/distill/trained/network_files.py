"""Files of trained networks, and of those in training, in the folder of their making."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ddcodec.errors import DataError
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import is_sound, load_sealed, save_sealed
from ddcodec.kept.state import check_all_tensors
from ddcodec.kept.training import KeptTraining
from ddcodec.kept.writing import discard


def network_file(folder: Path, number: int) -> Path:
    """Return where a network, counted from 0, is kept."""
    return folder / f"network-{number:03}.pt"


def network_in_training(folder: Path, number: int, is_cached: bool) -> KeptTraining:
    """Return where a network, counted from 0, is while it is trained."""
    return KeptTraining(_state_file(folder, number), is_cached)


def is_made(folder: Path, number: int) -> bool:
    """Tell whether a network is there and sound; a word is said of one that is not."""
    file = network_file(folder, number)
    if not file.exists():
        return False
    if is_sound(file):
        # Somebody was killed between the file and the end of its making.
        discard(_state_file(folder, number))
        return True
    notify(f"'{file}' is damaged or of another release; it is made anew.")
    return False


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors completely or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    # Clones, or a view would drag all it is a view of into the file.
    save_sealed({name: tensor.cpu().clone() for name, tensor in tensors.items()}, path)


def load_tensors(path: Path, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Compare the checksum of a file and map its named tensors, which are read where they are used.

    Raises:
        DataError: The file is missing, damaged, or lacks a name.
    """
    try:
        loaded = load_sealed(path, mmap=True)
        tensors = {name: loaded[name] for name in names}
        check_all_tensors(tensors)
        return tensors
    except (DataError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"'{path}' is missing, damaged or of another release; run the command that made "
            f"'{path.parent}' again, which makes it anew."
        ) from error


def _state_file(folder: Path, number: int) -> Path:
    return folder / f"network-{number:03}.state"
