"""Folders of trained networks: what they were made of, whole files only, clear refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ddcodec.distill.trained.network_files import is_made, network_file
from ddcodec.errors import DataError, OutputError
from ddcodec.kept.lock import lock_path, only_one
from ddcodec.kept.notices import notify
from ddcodec.kept.seal import sealed_json, unsealed_json
from ddcodec.kept.state import checked_count
from ddcodec.kept.writing import write_atomically
from ddcodec.ranks import ALONE, Ranks

KEPT_VERSION = 2
"""Raised whenever networks in the cache are written otherwise."""

COUNT = "count"
"""The fact that says how many networks there are to be."""

PlanCallback = Callable[[int, int], None]
"""Called once, before the work, with (networks missing, bytes they will take)."""

_SPARE_BYTES = 2**20

LOCKED = "networks"
"""What the lock of a folder is called after."""

MOST_NETWORKS = 100_000


@contextmanager
def filling(
    folder: Path,
    kind: str,
    facts: Mapping[str, Any],
    count: int,
    bytes_each: int,
    on_plan: PlanCallback,
    is_cached: bool = False,
    ranks: Ranks = ALONE,
) -> Iterator[list[int]]:
    """Hold a folder for networks, and hand out the numbers of those that are missing from it.

    Those that are damaged are missing, too, after a `KeptWarning`. Of several processes the first
    holds the folder for all, and each is handed its share.

    Args:
        folder: Created where it does not exist.
        kind: See `open_store`.
        facts: See `open_store`.
        count: How many networks there are to be.
        bytes_each: What one of them will take.
        on_plan: Called when the folder is found to be fit, by the first process.
        is_cached: Whether nobody named the folder: what is damaged is made anew, and somebody who
            fills it is waited for. Otherwise both are refused.
        ranks: The processes that fill it together.

    Raises:
        OutputError: The folder cannot be written, holds other things, or its disk has no room.
        DataError: It holds networks made of other data or with other settings.
        RankLost: Another process has ended.
    """
    if not ranks.is_first:
        missing = _told(ranks, [], count)
        _check_shared(folder, kind, facts)
        yield ranks.share(missing)
        ranks.summed()
        return
    absent = sum(not network_file(folder, number).exists() for number in range(count))
    check_room(folder, absent * bytes_each)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder '{folder}': {error.strerror}.") from error
    with only_one(folder / LOCKED, f"'{folder}'", notify if is_cached else None):
        if is_cached:
            _drop_damaged(folder, kind, facts, count)
        open_store(folder, kind, facts, count)
        missing = [number for number in range(count) if not is_made(folder, number)]
        needed = len(missing) * bytes_each
        check_room(folder, needed)
        on_plan(len(missing), needed)
        yield ranks.share(_told(ranks, missing, count))
        # The folder stays held until all have done their share.
        ranks.summed()


def _told(ranks: Ranks, missing: list[int], count: int) -> list[int]:
    """Return the numbers that the first process gives; the others give none."""
    marks = ranks.summed([float(number in missing) for number in range(count)])
    return [number for number, mark in enumerate(marks) if mark]


def _check_shared(folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
    """Check that this process sees the folder of the first one, and the same data."""
    if not _description(folder, kind).exists():
        raise OutputError(
            f"'{folder}' is not what it is for the first process; name a folder on a disk that all "
            "processes share with -o."
        )
    old = read_facts(folder, kind)
    _compare(folder, kind, old, {**facts, COUNT: old[COUNT]})


def _drop_damaged(folder: Path, kind: str, facts: Mapping[str, Any], count: int) -> None:
    """Replace a damaged description in the cache, where the name of a folder says what it holds."""
    path = _description(folder, kind)
    if not path.exists():
        return
    try:
        read_facts(folder, kind)
    except DataError:
        notify(f"'{path}' is damaged; it is made anew.")
        write_atomically(sealed_json({**facts, COUNT: count}), path)


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
        count: How many there are to be. A folder keeps what is complete in it, so it may grow,
            and a smaller number only gives up networks that were not made yet.

    Raises:
        OutputError: The folder cannot be written, or holds other things.
        DataError: It holds networks made of other data or with other settings.
    """
    path = _description(folder, kind)
    if path.exists():
        old = read_facts(folder, kind)
        _compare(folder, kind, old, {**facts, COUNT: old.get(COUNT)})
        count = max(count, _complete_at_first(folder, int(old[COUNT])))
        if count == old[COUNT]:
            return
    else:
        _make_empty(folder)
    write_atomically(sealed_json({**facts, COUNT: count}), path)


def _complete_at_first(folder: Path, count: int) -> int:
    """Return how many networks there are before the first one that is missing."""
    missing = (number for number in range(count) if not network_file(folder, number).exists())
    return next(missing, count)


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
            "again to finish, or with a smaller --count to do with fewer."
        )


def read_facts(folder: Path, kind: str) -> dict[str, Any]:
    """Return what `open_store` wrote down.

    Raises:
        DataError: The folder was not made by it, or the description is damaged.
    """
    try:
        data = _description(folder, kind).read_bytes()
    except OSError as error:
        raise DataError(
            f"'{folder}' holds no {kind}; run 'ddc {kind} DATASET -o FOLDER' first."
        ) from error
    try:
        facts = unsealed_json(data)
        checked_count(facts.get(COUNT), least=1, most=MOST_NETWORKS)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"The description in '{folder}' is damaged or of another release; delete the folder "
            f"and make the {kind} again."
        ) from error
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
            f"'{folder}' holds {_some(kind)} made {what}; name a folder made for this run by "
            f"'ddc {kind}'."
        )


def _description(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.json"


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = lock_path(folder / LOCKED)
        strange = next((path for path in folder.iterdir() if path != ours), None)
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
            f"'{folder}' holds {_some(kind)} made {what}; name another folder with -o to keep both."
        )


def _readable(key: str) -> str:
    return key.replace("_", " ")


def _some(kind: str) -> str:
    return kind if kind.endswith("s") else f"a {kind}"
