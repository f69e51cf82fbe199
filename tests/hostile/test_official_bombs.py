"""Official files of datasets that claim more than they hold."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import official_bombs as bombs
import pytest
from array_bombs import MIB
from bounded import needs_linux, outcome

from ddcodec.datasets import load_dataset
from ddcodec.datasets.sources import official, plain_pickle
from ddcodec.datasets.sources.plain_pickle import load_plain
from ddcodec.errors import DataError

pytestmark = needs_linux
CLAIM = "claims .* bytes but stores .*; if you trust it"
BATCH = "'data_batch_1' is not a valid CIFAR-10 batch; download .* again"


@pytest.mark.parametrize(
    ("dataset", "craft", "message", "most_mib"),
    [
        ("cifar10", lambda folder: bombs.cifar(folder, bombs.NINE_BYTES), BATCH, 8),
        ("cifar10", lambda folder: bombs.cifar(folder, bombs.absurd_labels()), BATCH, 8),
        ("cifar10", lambda folder: bombs.cifar(folder, bombs.builds(30_000)), BATCH, 48),
        ("cifar10", bombs.encoded, BATCH, 16),
        ("mnist", bombs.idx, f"train-images-idx3-ubyte.gz' {CLAIM}, unpack it", 16),
        ("svhn", bombs.matlab, f"train_32x32.mat' {CLAIM}, save it", 16),
        ("svhn", bombs.wide_matlab, f"train_32x32.mat' {CLAIM}, save it", 16),
        ("svhn", lambda folder: bombs.matlab(folder, 30, 50 * MIB), "MATLAB 5 file", 160),
    ],
)
def test_claims(
    tmp_path: Path, dataset: str, craft: Callable[[Path], Path], message: str, most_mib: int
) -> None:
    """One sentence, before memory is taken or time is spent."""
    path = craft(tmp_path)
    found = outcome(lambda: load_dataset(dataset, path, tmp_path / "cache"), limit_seconds=20)
    assert not found.fault
    assert re.search(message, found.message), found.message
    assert found.peak_bytes < most_mib * MIB


def test_lists_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that makes a list is not read a hundred million times."""
    monkeypatch.setattr(plain_pickle, "MAX_OPERATIONS", 2**14)
    path = bombs.lists(tmp_path)
    found = outcome(lambda: load_dataset("cifar10", path, tmp_path / "cache"))
    assert re.search(BATCH, found.message)
    # The batch itself has 20 MiB.
    assert found.peak_bytes < 64 * MIB


def test_arrays_are_finished_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finishing an array touches the names of this array only."""
    touched = 0

    class Memo(dict[int, object]):
        def __getitem__(self, number: int) -> object:
            nonlocal touched
            touched += 1
            return super().__getitem__(number)

        def items(self) -> object:  # type: ignore[override]
            raise AssertionError("all names are gone through")

    init = plain_pickle.PlainMachine.do

    def do(machine: plain_pickle.PlainMachine, name: str, argument: object) -> None:
        if not isinstance(machine._memo, Memo):
            machine._memo = Memo(machine._memo)
        init(machine, name, argument)

    monkeypatch.setattr(plain_pickle.PlainMachine, "do", do)
    assert len(load_plain(bombs.builds(1000))) > 900
    # Recall of the function, the arguments and the state, and of the name itself.
    assert touched <= 4 * 1000


def test_texts_become_bytes_once() -> None:
    """As many bytes as the file has may be made of its texts, as Python 3 writes them."""
    sound = pickle.dumps([b"\x80" * 1000], 2)
    assert load_plain(sound) == [b"\x80" * 1000]
    with pytest.raises(pickle.UnpicklingError, match="more bytes than it has"):
        load_plain(bombs.encode_pickle(3, 1000))


def test_files_of_absurd_length_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may pass alone; all of them may not."""
    monkeypatch.setattr(official, "MAX_TOTAL_BYTES", 25)
    source = bombs.cifar(tmp_path, b"ten bytes.")
    with pytest.raises(DataError, match=r"has 30 bytes up to 'data_batch_3', more than all"):
        list(official.named_members(source, lambda name: name))
