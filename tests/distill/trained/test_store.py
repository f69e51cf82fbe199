"""Folders of networks, whatever kind they are of: resumable, of one making, no surprises."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from distill.loss_inputs import EXPERTS, POOL, build_experts, build_pool, real_dataset

from ddcodec.distill.trained import network_files, store
from ddcodec.distill.trained.experts import Experts, make_experts
from ddcodec.distill.trained.pool_views import Pool
from ddcodec.distill.trained.pools import make_pool
from ddcodec.errors import DataError, OutputError
from ddcodec.kept.lock import only_one
from ddcodec.kept.notices import KeptWarning
from ddcodec.kept.seal import load_sealed, save_sealed
from ddcodec.ranks import Ranks

CPU = torch.device("cpu")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of folder, how it is made and used.

    Attributes:
        name: of the command that makes it.
        build: makes two small networks; returns how many were missing.
        make: what `build` calls.
        use: what reads a complete one.
        heavy: settings under which weights or statistics are most of a file.
        single: settings for one network of the two.
    """

    name: str
    build: Callable[..., int]
    make: Callable[..., None]
    use: Callable[[Path, torch.device, Mapping[str, Any]], object]
    heavy: object
    single: object


KINDS = [
    Kind(
        "pool", build_pool, make_pool, Pool,
        dataclasses.replace(POOL, frequencies=2000), dataclasses.replace(POOL, count=1),
    ),
    Kind(
        "experts", build_experts, make_experts, Experts,
        dataclasses.replace(EXPERTS, network_width=32), dataclasses.replace(EXPERTS, count=1),
    ),
]  # fmt: skip


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Every kind in turn."""
    return request.param


def test_missing_networks_are_made_again_to_the_byte(kind: Kind, tmp_path: Path) -> None:
    """A complete folder is left alone; a lost file comes back, the other is not touched."""
    folder = tmp_path / "made"
    assert kind.build(folder) == 2
    assert kind.build(folder) == 0
    kept, lost = network_files.network_file(folder, 0), network_files.network_file(folder, 1)
    before, kept_at = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    with pytest.raises(DataError, match=rf"1 of 2 networks.*ddc {kind.name}"):
        kind.use(folder, CPU, {})
    assert kind.build(folder) == 1
    assert lost.read_bytes() == before
    assert kept.stat().st_mtime_ns == kept_at


def test_an_unfinished_folder_does_with_fewer_networks(kind: Kind, tmp_path: Path) -> None:
    """A smaller number gives up what was never made, and nothing that was."""
    folder = tmp_path / "made"
    kind.build(folder)
    assert kind.build(folder, kind.single) == 0
    kind.use(folder, CPU, {})
    assert store.read_facts(folder, kind.name)[store.COUNT] == 2
    network_files.network_file(folder, 1).unlink()
    assert kind.build(folder, kind.single) == 0
    kind.use(folder, CPU, {})
    assert store.read_facts(folder, kind.name)[store.COUNT] == 1


def test_planned_size_is_the_real_one(kind: Kind, tmp_path: Path) -> None:
    """What is said beforehand is within a tenth of what is written."""
    planned: list[int] = []
    kind.make(
        real_dataset(), tmp_path / "made", kind.heavy, CPU,
        lambda progress: None, lambda missing, needed: planned.append(needed),
    )  # fmt: skip
    written = sum(network_files.network_file(tmp_path / "made", n).stat().st_size for n in (0, 1))
    assert 0.9 * written < planned[0] < 1.1 * written


def test_a_full_disk_is_noticed_before_the_work(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made where it would not fit."""
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutputError, match="1,000 left"):
        kind.build(tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_folders_of_other_things_are_left_alone(kind: Kind, tmp_path: Path) -> None:
    """A folder with files of the user's own is not filled."""
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other things"):
        kind.build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def _flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    # A new file: the one before may be mapped.
    path.unlink()
    path.write_bytes(data)


def test_a_flipped_bit_is_found_and_mended(kind: Kind, tmp_path: Path) -> None:
    """A damaged network is refused by who uses it and made again by who makes it."""
    folder = tmp_path / "made"
    kind.build(folder)
    file = network_files.network_file(folder, 1)
    whole = file.read_bytes()
    _flip(file, len(whole) // 2)
    with pytest.raises(DataError, match=r"network-001\.pt' is missing, damaged.*makes it anew"):
        kind.use(folder, CPU, {})
    with pytest.warns(KeptWarning, match=r"network-001\.pt' is damaged"):
        assert kind.build(folder) == 1
    assert file.read_bytes() == whole


def test_a_damaged_description_is_found(kind: Kind, tmp_path: Path) -> None:
    """A changed digit in what networks were made of is refused by all."""
    folder = tmp_path / "made"
    kind.build(folder)
    path = folder / f"{kind.name}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    for use in (lambda: kind.use(folder, CPU, {}), lambda: kind.build(folder)):
        with pytest.raises(DataError, match=r"description in .* is damaged"):
            use()


def test_tensors_of_other_shapes_are_refused(kind: Kind, tmp_path: Path) -> None:
    """A file with a checksum of its own, made up, does not get as far as torch."""
    folder = tmp_path / "made"
    kind.build(folder)
    file = network_files.network_file(folder, 0)
    tensors = load_sealed(file)
    for name, value in tensors.items():
        save_sealed({**tensors, name: value[:, :1]}, file)
        with pytest.raises(DataError, match="does not belong"):
            kind.use(folder, CPU, {})
        save_sealed({**tensors, name: "text"}, file)
        with pytest.raises(DataError, match="damaged"):
            kind.use(folder, CPU, {})


def test_two_processes_do_not_fill_one_folder(kind: Kind, tmp_path: Path) -> None:
    """The second is told who is at it."""
    folder = tmp_path / "made"
    folder.mkdir()
    with only_one(folder / store.LOCKED, "it"), pytest.raises(OutputError, match="Another ddc"):
        kind.build(folder)
    assert list(folder.iterdir()) == []
    assert kind.build(folder) == 2


def test_the_cache_mends_itself(tmp_path: Path) -> None:
    """Where nobody named the folder a damaged description is written again, with a word."""
    folder, facts = tmp_path / "made", {"seed": 0}
    plan = (folder, "pool", facts, 1, 1, lambda missing, needed: None)
    with store.filling(*plan, is_cached=True):
        network_files.save_tensors(
            network_files.network_file(folder, 0), {"weights": torch.zeros(2)}
        )
    (folder / "pool.json").write_text("{}")
    with (
        pytest.warns(KeptWarning, match=r"pool\.json' is damaged; it is made anew"),
        store.filling(*plan, is_cached=True) as missing,
    ):
        assert missing == []
    assert store.read_facts(folder, "pool") == {"seed": 0, "count": 1}


class _Second(Ranks):
    """The second of two processes, which the first tells that four networks are missing."""

    def __init__(self) -> None:
        super().__init__(1, 2)

    def summed(self, values: Any = ()) -> list[float]:
        """Return what the first process would."""
        return [1.0] * len(values)


def test_a_second_process_takes_the_folder_as_it_is(tmp_path: Path) -> None:
    """It is handed its share where the folder is the first one's, of the same data."""
    fingerprint = {"fingerprint": "a"}

    def share(folder: Path, facts: dict[str, Any]) -> list[int]:
        filling = store.filling(folder, "pool", facts, 4, 1, lambda *_: None, ranks=_Second())
        with filling as numbers:
            return numbers

    with pytest.raises(OutputError, match="name a folder on a disk that all processes share"):
        share(tmp_path / "made", fingerprint)
    assert not (tmp_path / "made").exists()
    store.open_store(tmp_path / "made", "pool", fingerprint, 4)
    assert share(tmp_path / "made", fingerprint) == [1, 3]
    with pytest.raises(DataError, match="of another dataset"):
        share(tmp_path / "made", {"fingerprint": "b"})
