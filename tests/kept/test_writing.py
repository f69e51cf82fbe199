"""Files and folders put in place: whole, lasting, and nothing left beside them."""

import os
from pathlib import Path

import pytest

from ddcodec.errors import OutputError
from ddcodec.kept.lock import claim
from ddcodec.kept.writing import (
    PARTIAL,
    atomic_file,
    atomic_folder,
    check_name,
    discard,
    write_atomically,
)


def test_write_atomically(tmp_path: Path) -> None:
    """A file appears complete, replaces an older one, and nothing else is left."""
    path = tmp_path / "a.ddc"
    write_atomically(b"first", path)
    write_atomically(b"second", path)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last step fails the old file stays and no partial one does."""
    path = tmp_path / "a.ddc"
    path.write_bytes(b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomically(b"new", path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fails_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk refuses only when it is written through takes no file's place."""

    def fail(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="Input/output error"):
        write_atomically(b"new", tmp_path / "a.ddc")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    """A missing folder, or a folder in the way, gives one sentence and no partial file."""
    with pytest.raises(OutputError, match="Cannot write"):
        write_atomically(b"data", tmp_path / "missing" / "a.ddc")
    (tmp_path / "a.ddc").mkdir()
    with pytest.raises(OutputError, match="Cannot write"):
        write_atomically(b"data", tmp_path / "a.ddc")
    assert [path.name for path in tmp_path.iterdir()] == ["a.ddc"]


def test_power_may_be_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is on the disk before it gets its name, and the name before this returns."""
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note(handle: int) -> None:
        events.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def rename(self: Path, target: Path) -> Path:
        events.append(f"rename {self.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "replace", rename)
    write_atomically(b"data", tmp_path / "a.ddc")
    partial = events[0]
    assert partial.startswith(".a.ddc.") and partial.endswith(PARTIAL)
    assert events == [partial, f"rename {partial}", tmp_path.name]


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    """The next attempt removes the half of the one before, but none that somebody is writing."""
    path = tmp_path / "a.ddc"
    others = [tmp_path / ".a.ddc.mine", tmp_path / f".b.ddc.1{PARTIAL}"]
    for left in (*others, tmp_path / f".a.ddc.1{PARTIAL}"):
        left.write_bytes(b"half")
    write_atomically(b"whole", path)
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
    with atomic_file(path) as first:
        first.write_bytes(b"slow")
        write_atomically(b"quick", path)
        assert first.exists()
    assert path.read_bytes() == b"slow"
    (tmp_path / f".a.ddc.2{PARTIAL}").write_bytes(b"half")
    discard(path)
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_folders_take_a_place_whole(tmp_path: Path) -> None:
    """A folder is exchanged as one; what fails half-way changes nothing."""
    path = tmp_path / "out"
    for content in ("first", "second"):
        with atomic_folder(path) as new:
            (new / "file").write_text(content)
    with pytest.raises(ZeroDivisionError), atomic_folder(path) as new:
        (new / "file").write_text("third")
        raise ZeroDivisionError
    assert (path / "file").read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_between_two_names_is_mended(tmp_path: Path) -> None:
    """A folder that was put aside, and whose successor never came, is put back."""
    path = tmp_path / "out"
    aside = tmp_path / f".out.1{PARTIAL}" / "old"
    aside.mkdir(parents=True)
    (aside / "file").write_text("first")
    with pytest.raises(ZeroDivisionError), atomic_folder(path):
        assert (path / "file").read_text() == "first"
        raise ZeroDivisionError
    assert (path / "file").read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_many_files_are_written_through_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of few files is asked for one by one, of many the whole disk."""
    calls: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: calls.append("sync"))
    for count, expected in ((2, []), (40, ["sync"])):
        with atomic_folder(tmp_path / f"{count}") as new:
            for number in range(count):
                (new / f"{number}").touch()
        assert calls == expected


def test_names_leave_room(tmp_path: Path) -> None:
    """A name has to leave room for those of the files beside it; bytes count, not letters."""
    check_name(tmp_path / ("x" * 200), (".checkpoint.labeler",))
    with pytest.raises(OutputError, match=r"takes 240 bytes.*at most 218"):
        check_name(tmp_path / ("x" * 240), (".json", ".checkpoint.labeler"))
    with pytest.raises(OutputError, match="takes 240 bytes"):
        check_name(tmp_path / ("ü" * 120), (".checkpoint.labeler",))
    longest = tmp_path / ("x" * 218)
    write_atomically(b"data", longest.with_name(f"{longest.name}.checkpoint.labeler"))


def test_a_claimed_file_is_not_abandoned(tmp_path: Path) -> None:
    """A claim lasts as long as the file is open."""
    path = tmp_path / "file"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert claim(first) and not claim(second)
    os.close(first)
    assert claim(second)
    os.close(second)
