"""Published points of other methods, from `peers.toml`, each with its source."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ddcodec.errors import DataError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ORIGINS = ("printed", "digitised", "third-party")
STORAGES = ("float32", "estimate", "codes")


@dataclass(frozen=True)
class Peer:
    """The published points of one method on one dataset.

    Attributes:
        name: of the method.
        dataset: as `dataset_key` gives it.
        bits_per_class: of each point, counted as `storage` says.
        accuracy: of each point, in per cent.
        origin: one of ORIGINS.
        storage: one of STORAGES.
        student, protocol: how it was evaluated.
        source: where the figures are from.
        note: what else to know, or nothing.
    """

    name: str
    dataset: str
    bits_per_class: tuple[float, ...]
    accuracy: tuple[float, ...]
    origin: str
    storage: str
    student: str
    protocol: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class FullData:
    """Accuracy of a network trained on all real images of a dataset."""

    dataset: str
    student: str
    accuracy: float
    origin: str
    source: str


def dataset_key(name: str) -> str:
    """Return a dataset's name as the table has it: `ImageNette-128` is `imagenette`."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removesuffix("128")


def peers_of(dataset: str, names: tuple[str, ...] = ()) -> list[Peer]:
    """Return the published points of a dataset, of all methods or of some.

    Raises:
        DataError: if there are none, or a name is unknown.
    """
    peers = [peer for peer in _table()[0] if peer.dataset == dataset_key(dataset)]
    if not peers:
        known = ", ".join(dict.fromkeys(peer.dataset for peer in _table()[0]))
        raise DataError(
            f"No points are published for '{dataset}', only for {known}; leave peers out."
        )
    known_names = [peer.name for peer in peers]
    unknown = [name for name in names if name not in known_names]
    if unknown:
        raise DataError(
            f"No points of '{unknown[0]}' are known for '{dataset}'; known: "
            f"{', '.join(known_names)}."
        )
    return [peer for peer in peers if not names or peer.name in names]


def full_data_of(dataset: str) -> FullData | None:
    """Return the published accuracy on all images of a dataset, if there is one."""
    return next((full for full in _table()[1] if full.dataset == dataset_key(dataset)), None)


@lru_cache(maxsize=1)
def _table() -> tuple[list[Peer], list[FullData]]:
    text = files(__package__).joinpath("peers.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    peers = [Peer(**{key: _frozen(value) for key, value in row.items()}) for row in table["method"]]
    return peers, [FullData(**row) for row in table["full_data"]]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
