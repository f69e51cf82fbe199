"""Outputs are checked before the work."""

from pathlib import Path

import pytest

from ddcodec.errors import OutputError
from ddcodec.export import check_output


def test_output_is_checked_first(tmp_path: Path) -> None:
    """Missing folders, files in the place of folders and strange paths are named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="no folder"):
        check_output(tmp_path / "none" / "x.ddc", force=True)
    with pytest.raises(OutputError, match="no folder"):
        check_output(tmp_path / "file" / "x.ddc", force=True)
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, force=True)
    with pytest.raises(OutputError, match="Cannot write"):
        check_output(tmp_path / "a\0b", force=True)
    with pytest.raises(OutputError, match="takes 300 bytes"):
        check_output(tmp_path / ("x" * 300), force=True)
    check_output(tmp_path / "file", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_unwritable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that takes no files is noticed before the work."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "x.ddc", force=False)
