"""The files of a run: checked before the work, one process at a time, finished after a kill."""

from pathlib import Path

import pytest

from ddcodec.cli.making.outputs import Outputs
from ddcodec.cli.making.watching import Watch
from ddcodec.distill.running.checkpoint import checkpoint_path
from ddcodec.errors import BudgetError, BudgetMissedError, DataError, OutputError
from ddcodec.kept.lock import only_one


def _outputs(path: Path, resume: bool = False, force: bool = False, record: bool = True) -> Outputs:
    watch = Watch(checkpoint_path(path), resume, None)
    return Outputs(path, Path(f"{path}.json") if record else None, force, watch)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_runs_to_one_output(tmp_path: Path) -> None:
    """The second is refused while the first is at work, and touches nothing of it."""
    path = tmp_path / "x.ddc"
    with _outputs(path).held():
        checkpoint_path(path).write_bytes(b"of the first")
        for resume, force in ((False, False), (True, False), (False, True), (True, True)):
            second = _outputs(path, resume, force)
            with pytest.raises(OutputError, match=r"Another ddc .* is at work on"), second.held():
                pytest.fail("two at once")
        assert checkpoint_path(path).read_bytes() == b"of the first"
    assert _names(tmp_path) == ["x.ddc.checkpoint"]


@pytest.mark.parametrize("name", ["x" * 240, "x" * 236 + ".ddc", "ü" * 120])
def test_a_long_name_is_refused_before_the_work(name: str, tmp_path: Path) -> None:
    """There has to be room for the longest name beside the file, not only for its own."""
    with pytest.raises(OutputError, match="give one of at most"), _outputs(tmp_path / name).held():
        pytest.fail("begun")
    assert _names(tmp_path) == []


def test_all_names_of_the_longest_fit(tmp_path: Path) -> None:
    """A name just short enough works to the end; selected images are the user's, and stay."""
    outputs = _outputs(tmp_path / ("x" * 207 + ".ddc"))
    with outputs.held():
        for suffix in outputs.watch.suffixes(outputs.file):
            outputs.file.with_name(outputs.file.name + suffix).write_bytes(b"state")
        outputs.write(b"data")
        outputs.write_record(b"{}", of=b"data")
        outputs.watch.remove_checkpoints()
    beside = (f"{outputs.file.name}{suffix}" for suffix in (".json", ".selected.npz"))
    assert _names(tmp_path) == [outputs.file.name, *beside]


def test_a_kill_after_the_last_write(tmp_path: Path) -> None:
    """A run that is kept and whose file is written already goes on to its end without --force."""
    path = tmp_path / "x.ddc"
    path.write_bytes(b"data")
    checkpoint_path(path).write_bytes(b"state")
    with (
        pytest.raises(OutputError, match="holds an interrupted run; go on with --resume"),
        _outputs(path).held(),
    ):
        pytest.fail("begun anew")
    outputs = _outputs(path, resume=True)
    with outputs.held():
        outputs.check_record(of=b"data")
        outputs.write(b"data")
        outputs.write_record(b"{}", of=b"data")
        outputs.watch.remove_checkpoints()
    assert _names(tmp_path) == ["x.ddc", "x.ddc.json"]


def test_the_hint_is_what_works(tmp_path: Path) -> None:
    """A file of somebody else's is not replaced; the sentence says with which options it is."""
    path = tmp_path / "x.ddc"
    checkpoint_path(path).write_bytes(b"state")
    outputs = _outputs(path, resume=True)
    with outputs.held():
        path.write_bytes(b"of another")
        with pytest.raises(OutputError, match=r"exists;.*the same command with --resume --force"):
            outputs.write(b"data")
    assert path.read_bytes() == b"of another"
    forced = _outputs(path, resume=True, force=True)
    with forced.held():
        forced.write(b"data")
    assert path.read_bytes() == b"data"


def test_the_hint_of_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished run that could not be written is kept, and --resume alone writes it."""
    outputs = _outputs(tmp_path / "x.ddc", record=False)

    def fill(data: bytes, path: Path) -> None:
        raise OutputError("Cannot write: No space left on device.")

    with outputs.held(), monkeypatch.context() as patch:
        checkpoint_path(outputs.file).write_bytes(b"state")
        patch.setattr("ddcodec.kept.writing.write_atomically", fill)
        with pytest.raises(OutputError, match=r"the same command with --resume writes it"):
            outputs.write(b"data")
    again = _outputs(tmp_path / "x.ddc", resume=True, record=False)
    with again.held():
        again.write(b"data")
    assert again.file.read_bytes() == b"data"


def test_a_new_run_forgets_all_of_an_old_one(tmp_path: Path) -> None:
    """What an earlier `--labels auto` kept of its later files is not gone on with by a new run."""
    path = tmp_path / "x.ddc"
    later = [path.with_name(f"x.ddc.checkpoint.{labels}") for labels in ("soft", "labeler")]
    for file in (checkpoint_path(path), *later):
        file.write_bytes(b"state")
    with _outputs(path, resume=True).held():
        assert all(file.exists() for file in later)
    with _outputs(path, force=True).held():
        assert not any(file.exists() for file in later)
    checkpoint_path(path).unlink()
    with pytest.raises(DataError, match="There is no checkpoint"), _outputs(path, True).held():
        pytest.fail("nothing to go on with")


def test_a_lock_of_another_output_is_no_matter(tmp_path: Path) -> None:
    """Runs to different files do not know of each other."""
    with only_one(tmp_path / "y.ddc", "y"), _outputs(tmp_path / "x.ddc").held():
        assert len(_names(tmp_path)) == 2


def test_a_refused_run_leaves_no_log(tmp_path: Path) -> None:
    """The same command with the mistake mended is not refused for the log of the first try."""
    log = tmp_path / "x.jsonl"
    watch = Watch(checkpoint_path(tmp_path / "x.ddc"), resume=False, log_path=log)
    start = {"event": "start", "budget_bytes": 1, "seconds": 0.0}
    step = {"event": "step", "phase": "fit", "step": 1, "seconds": 0.0}
    for records, stays in (([start], False), ([start, step], True)):
        with pytest.raises(DataError, match="no such pool"), watch.supervision(None) as supervision:
            for record in records:
                supervision.on_record(record)
            raise DataError("no such pool")
        assert log.exists() == stays


def test_a_run_that_missed_its_budget_is_not_kept(tmp_path: Path) -> None:
    """It leads nowhere else and would refuse a try with other settings, unless that is forced.

    So a sweep, which forces, does not make such a point again to find the same.
    """
    stay = {BudgetError("No room."): True, BudgetMissedError("Down to 9 bytes."): False}
    for force in (False, True):
        outputs = _outputs(tmp_path / "x.ddc", force=force)
        for error, stays in stay.items():
            with pytest.raises(BudgetError), outputs.held():
                outputs.watch.checkpoint.write_bytes(b"state")
                raise error
            assert outputs.watch.is_kept == (stays or force)
            outputs.watch.remove_checkpoints()


def test_the_hint_for_a_log(tmp_path: Path) -> None:
    """What is in the way of a log is another log, which --log names."""
    (tmp_path / "x.jsonl").touch()
    watch = Watch(checkpoint_path(tmp_path / "x.ddc"), False, tmp_path / "x.jsonl")
    with pytest.raises(OutputError, match="or name another with --log"):
        watch.check(force=False)
