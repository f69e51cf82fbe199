"""The log of a run: what is written, what a kill may leave, what is read back."""

from pathlib import Path

import pytest

from ddcodec.errors import DataError, OutputError
from ddcodec.results.run_log import LoggedRun, RunLog, read_log

START = '{"event": "start", "budget_bytes": 1000, "seconds": 0.0}\n'


def _step(phase: str, step: int, seconds: float, loss: float | None = 0.5) -> str:
    value = "null" if loss is None else loss
    return (
        f'{{"event": "step", "phase": "{phase}", "step": {step}, "steps": 9, "rate_bytes": 990.5,'
        f' "loss": {value}, "multiplier": 8.0, "images_per_second": 64.0, "seconds": {seconds}}}\n'
    )


def _at(event: str, phase: str, step: int, seconds: float) -> str:
    return f'{{"event": "{event}", "phase": "{phase}", "step": {step}, "seconds": {seconds}}}\n'


def _read(tmp_path: Path, *lines: str) -> LoggedRun:
    path = tmp_path / "run.jsonl"
    path.write_text("".join(lines))
    return read_log(path)


def _places(run: LoggedRun) -> list[tuple[str, int, float]]:
    return [(step.phase, step.step, step.seconds) for step in run.steps]


def test_written_lines(tmp_path: Path) -> None:
    """One JSON object a line, there at once; what is not finite is null."""
    path = tmp_path / "run.jsonl"
    with RunLog(path) as log:
        log.write({"event": "start", "budget_bytes": 1000, "seconds": 0.0})
        assert path.read_text() == START
        log.write({"event": "step", "phase": "fit", "step": 1, "loss": float("nan")})
    assert path.read_text().splitlines()[1] == (
        '{"event": "step", "phase": "fit", "step": 1, "loss": null}'
    )


def test_log_is_continued_after_a_kill(tmp_path: Path) -> None:
    """A resumed run appends; half a line is taken away first."""
    path = tmp_path / "run.jsonl"
    path.write_text(START + '{"event": "st')
    with RunLog(path) as log:
        log.write({"event": "finish", "size_bytes": 998, "seconds": 2.0})
    assert path.read_text() == START + '{"event": "finish", "size_bytes": 998, "seconds": 2.0}\n'
    assert read_log(path).size_bytes == 998


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"my thesis", b"\n"])
def test_other_files_are_not_written_to(tmp_path: Path, content: bytes) -> None:
    """A file that is no log stays as it is."""
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="not a log"):
        RunLog(path)
    assert path.read_bytes() == content


def test_folder_that_is_missing(tmp_path: Path) -> None:
    """A log that cannot be written is one sentence."""
    with pytest.raises(OutputError, match="Cannot write the log"):
        RunLog(tmp_path / "none" / "run.jsonl")
    with pytest.raises(OutputError, match="is not a file"):
        RunLog(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk() -> None:
    """A disk without room is one sentence."""
    log = RunLog.__new__(RunLog)
    log._path = Path("/dev/full")
    log._stream = log._path.open("ab", buffering=0)
    with log, pytest.raises(OutputError, match="No space left on device"):
        log.write({"event": "start"})


def test_everything_is_read(tmp_path: Path) -> None:
    """Budget, steps, validations with their place, and the size at the end."""
    run = _read(
        tmp_path,
        START,
        _step("fit", 1, 1.5, loss=None),
        '{"event": "validation", "phase": "fit", "step": 1, "accuracy": 48.2, "seconds": 2}\n',
        '{"event": "something newer", "x": 1}\n',
        '{"event": "finish", "size_bytes": 998, "seconds": 3.0}\n',
    )
    assert (run.budget_bytes, run.size_bytes) == (1000, 998)
    step = run.steps[0]
    assert (step.phase, step.step, step.seconds) == ("fit", 1, 1.5)
    assert (step.rate_bytes, step.loss, step.multiplier) == (990.5, None, 8.0)
    check = run.validations[0]
    assert (check.index, check.accuracy, check.seconds) == (1, 48.2, 2)


def test_resume_takes_back_what_followed_its_checkpoint(tmp_path: Path) -> None:
    """Steps after the checkpoint are those of the resumed run, also in a phase begun twice."""
    run = _read(
        tmp_path,
        START,
        *(_step("start", step, step) for step in (1, 2, 3)),
        _step("start", 1, 4),
        _at("checkpoint", "start", 1, 4.1),
        _step("start", 2, 5),
        _at("resume", "start", 1, 4.2),
        _step("start", 2, 6),
    )
    assert _places(run) == [
        ("start", 1, 1), ("start", 2, 2), ("start", 3, 3), ("start", 1, 4), ("start", 2, 6)
    ]  # fmt: skip


def test_resume_without_its_checkpoint(tmp_path: Path) -> None:
    """Later records of the same phase and step replace earlier ones; only after a resume."""
    lines = [START, _step("fit", 1, 1), _step("fit", 2, 2), _step("fit", 3, 3)]
    resumed = _read(tmp_path, *lines, _at("resume", "fit", 1, 1), _step("fit", 2, 4))
    assert _places(resumed) == [("fit", 1, 1), ("fit", 3, 3), ("fit", 2, 4)]
    again = _read(tmp_path, *lines, _step("fit", 2, 4))
    assert _places(again) == [("fit", 1, 1), ("fit", 2, 2), ("fit", 3, 3), ("fit", 2, 4)]


def test_last_line_cut_short(tmp_path: Path) -> None:
    """At every place a kill may cut, the lines before it are read."""
    line = _step("fit", 2, 2)
    for end in range(len(line)):
        run = _read(tmp_path, START, _step("fit", 1, 1), line[:end])
        # Without its line break alone, the record is whole.
        assert len(run.steps) == (2 if end == len(line) - 1 else 1)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("{\n", "Line 2 .* not JSON"),
        ("\n", "Line 2 .* not JSON"),
        ("[1]\n", "Line 2 .* no event"),
        ('{"event": "step", "phase": "fit", "seconds": 1}\n', "Line 2 .*'step'"),
        ('{"event": "step", "phase": "fit", "step": true, "seconds": 1}\n', "Line 2 .*'step'"),
        ('{"event": "step", "phase": 1, "step": 1, "seconds": 1}\n', "Line 2 .*'phase'"),
        ('{"event": "step", "phase": "fit", "step": 1, "seconds": NaN}\n', "Line 2 .*'seconds'"),
        ('{"event": "finish", "size_bytes": 1e9, "seconds": 1}\n', "Line 2 .*'size_bytes'"),
        (_step("fit", 1, 1).replace("990.5", '"many"'), "Line 2 .*'rate_bytes'"),
        (_step("fit", 1, 1).replace("990.5", "1e999"), "Line 2 .*'rate_bytes'"),
        ("[" * 100_000 + "\n", "Line 2 .* not JSON"),
    ],
    ids=lambda value: value[:24],
)
def test_damaged_lines(tmp_path: Path, line: str, pattern: str) -> None:
    """A damaged line is named by its number, unless it was the last one being written."""
    with pytest.raises(DataError, match=pattern):
        _read(tmp_path, START, line, _step("fit", 2, 2))


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(99), b"{}\n", b"a,b\n1,2\n"])
def test_files_that_are_no_log(tmp_path: Path, content: bytes) -> None:
    """An empty file and files of other kinds are refused."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a log" if content else "is empty"):
        read_log(path)
    with pytest.raises(DataError, match="Cannot read"):
        read_log(tmp_path / "none")
