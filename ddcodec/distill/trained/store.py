"""Folders of trained networks: what they were made of, whole files only, clear refusals."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ddcodec.codec.encode import write_atomically
from ddcodec.errors import DataError, OutputError

COUNT = "count"
"""The fact that says how many networks there are to be."""

PlanCallback = Callable[[int, int], None]
"""Called once, before the work, with (networks missing, bytes they will take)."""

_SPARE_BYTES = 2**20


def plan_networks(
    folder: Path,
    kind: str,
    facts: Mapping[str, Any],
    count: int,
    bytes_each: int,
    on_plan: PlanCallback,
) -> list[int]:
    """Open a folder for networks and return the numbers of those that are missing from it.

    Args:
        folder: Created where it does not exist.
        kind: See `open_store`.
        facts: See `open_store`.
        count: How many networks there are to be.
        bytes_each: What one of them will take.
        on_plan: Called when the folder is found to be fit.

    Raises:
        OutputError: The folder cannot be written, holds other things, or its disk has no room.
        DataError: It holds networks made of other data or with other settings.
    """
    missing = [number for number in range(count) if not network_file(folder, number).exists()]
    needed = len(missing) * bytes_each
    check_room(folder, needed)
    open_store(folder, kind, facts, count)
    on_plan(len(missing), needed)
    return missing


def check_room(folder: Path, needed: int) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        OutputError: The folder's disk has less than `needed` bytes, and a little, left.
    """
    existing = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + _SPARE_BYTES:
        raise OutputError(
            f"'{folder}' needs {needed:,} bytes but its disk has {free:,} left; make room, name "
            "another folder with -o, or ask for less."
        )


def open_store(folder: Path, kind: str, facts: Mapping[str, Any], count: int) -> None:
    """Make a folder for networks of one making, or check that it is one of the same making.

    Args:
        folder: Created where it does not exist.
        kind: What it holds, `experts` or `pool`; also the name of its description.
        facts: Everything the networks depend on, of JSON types.
        count: How many there are to be; a folder may grow, and keeps the larger number.

    Raises:
        OutputError: The folder cannot be written, or holds other things.
        DataError: It holds networks made of other data or with other settings.
    """
    path = _description(folder, kind)
    if path.exists():
        old = read_facts(folder, kind)
        _compare(folder, kind, old, {**facts, COUNT: old.get(COUNT)})
        count = max(count, int(old.get(COUNT, 0)))
        if count == old.get(COUNT):
            return
    else:
        _make_empty(folder)
    text = json.dumps({**facts, COUNT: count}, indent=1) + "\n"
    write_atomically(text.encode(), path)


def read_complete(folder: Path, kind: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a folder that is complete and fits the run that wants to use it.

    Args:
        folder: Filled by a `ddc` command.
        kind: What it holds.
        wanted: See `check_use`.

    Raises:
        DataError: It holds nothing of that kind, not all of it, or some of other facts.
    """
    facts = read_facts(folder, kind)
    check_use(folder, kind, facts, wanted)
    check_complete(folder, kind, facts)
    return facts


def check_complete(folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
    """Refuse a folder whose making was interrupted.

    Raises:
        DataError: A file is missing.
    """
    count = int(facts[COUNT])
    present = sum(network_file(folder, number).exists() for number in range(count))
    if present < count:
        raise DataError(
            f"'{folder}' holds {present} of {count} networks; run the 'ddc {kind}' that made it "
            "again to finish."
        )


def network_file(folder: Path, number: int) -> Path:
    """Return where a network, counted from 0, is kept."""
    return folder / f"network-{number:03}.pt"


def read_facts(folder: Path, kind: str) -> dict[str, Any]:
    """Return what `open_store` wrote down.

    Raises:
        DataError: The folder was not made by it, or the description is damaged.
    """
    try:
        facts = json.loads(_description(folder, kind).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"'{folder}' holds no {kind}; run 'ddc {kind} DATASET -o FOLDER' first."
        ) from error
    if not isinstance(facts, dict) or not isinstance(facts.get(COUNT), int):
        raise DataError(f"The description in '{folder}' is damaged; make the {kind} again.")
    return facts


def check_use(folder: Path, kind: str, facts: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse networks that do not fit the run that wants to use them.

    Args:
        folder: Where they are.
        kind: What they are.
        facts: From `read_facts`.
        wanted: What the run needs, by the same keys; None fits anything.

    Raises:
        DataError: They are of another dataset, training part or architecture.
    """
    for key, value in wanted.items():
        if value is None or facts.get(key) == value:
            continue
        if key == "fingerprint":
            what = "of another dataset or training part"
        else:
            what = f"with {_readable(key)} {facts.get(key)}, not {value}"
        raise DataError(
            f"'{folder}' holds {kind} made {what}; name a folder made for this run by 'ddc {kind}'."
        )


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write named tensors completely or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    stream = io.BytesIO()
    # Clones, or a view would drag all it is a view of into the file.
    torch.save({name: tensor.cpu().clone() for name, tensor in tensors.items()}, stream)
    write_atomically(stream.getvalue(), path)


def load_tensors(path: Path, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Map named tensors; they are read where they are used.

    Raises:
        DataError: The file is missing, damaged, or lacks a name.
    """
    try:
        loaded = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        return {name: loaded[name] for name in names}
    except Exception as error:
        # Reading a damaged archive goes wrong in many ways.
        raise DataError(
            f"'{path}' is missing or damaged; delete it and run the command that made "
            f"'{path.parent}' again."
        ) from error


def _description(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.json"


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = next(folder.iterdir(), None)
    except OSError as error:
        raise OutputError(f"Cannot make the folder '{folder}': {error.strerror}.") from error
    if strange is not None:
        raise OutputError(f"'{folder}' holds other things; name an empty or a new folder with -o.")


def _compare(folder: Path, kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for key in {**old, **new}:
        # JSON has lists where Python has tuples.
        wanted = json.loads(json.dumps(new.get(key)))
        if old.get(key) == wanted:
            continue
        if key == "fingerprint":
            what = "of another dataset"
        else:
            what = f"with {_readable(key)} {old.get(key)}, not {wanted}"
        raise DataError(
            f"'{folder}' holds {kind} made {what}; name another folder with -o to keep both."
        )


def _readable(key: str) -> str:
    return key.replace("_", " ")
