"""What `ddc distill` and `ddc encode` write: checked before the work, by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ddcodec.cli.making.watching import Watch
from ddcodec.errors import BudgetMissedError, OutputError


@dataclass(frozen=True)
class Outputs:
    """The files of a run.

    Attributes:
        file: the `.ddc`.
        record: beside it, or None.
        force: whether what is there may be replaced.
        watch: where the run is kept.
    """

    file: Path
    record: Path | None
    force: bool
    watch: Watch

    @contextmanager
    def held(self) -> Iterator[None]:
        """Check that all can be written, and keep other processes away from them.

        Raises:
            OutputError: if something may not be replaced or written, or somebody else is at it.
            DataError: if there is no run to go on with.
        """
        from ddcodec.export import check_output
        from ddcodec.kept.lock import only_one
        from ddcodec.kept.writing import check_name

        suffixes = self.watch.suffixes(self.file)
        # Of a run that goes on the file may be written already: it is compared at the end.
        may_replace = self.force or (self.watch.resume and self.watch.checkpoint.exists())
        check_output(self.file, force=True)
        check_name(self.file, suffixes if self.record is None else (*suffixes, ".json"))
        with only_one(self.file, f"'{self.file}'"):
            self.watch.check(self.force)
            check_output(self.file, may_replace)
            if self.record is not None:
                check_output(self.record, may_replace)
            if not self.watch.resume:
                self.watch.remove_others()
            try:
                yield
            except BudgetMissedError:
                # It would refuse the next try, with other settings; one by force it does not.
                if not self.force:
                    self.watch.remove_checkpoints()
                raise

    def write(self, data: bytes) -> None:
        """Put the finished file in its place; see `_write` for what is raised."""
        self._write(self.file, data, not self._holds(data))

    def write_record(self, data: bytes, of: bytes) -> None:
        """Put the record beside its file, which is in its place."""
        assert self.record is not None
        self._write(self.record, data, not self._holds(of))

    def check_record(self, of: bytes) -> None:
        """Check before the file is written that its record can be."""
        if self.record is not None and not self._holds(of):
            self._check(self.record)

    def _holds(self, data: bytes) -> bool:
        """Tell whether the file is there already, as a kill right after its writing leaves it."""
        if not self.watch.resume or not self.file.is_file():
            return False
        found = hashlib.sha256(self.file.read_bytes()).digest()
        return found == hashlib.sha256(data).digest()

    def _check(self, path: Path) -> None:
        from ddcodec.export import check_output

        check_output(path, self.force)

    def _write(self, path: Path, data: bytes, is_checked: bool) -> None:
        """Write one of the files.

        Raises:
            OutputError: if it cannot be written; where the finished run is kept it says how to go
                on.
        """
        from ddcodec.kept.writing import write_atomically

        try:
            if is_checked:
                self._check(path)
            write_atomically(data, path)
        except OutputError as error:
            raise self.with_hint(error) from error

    def with_hint(self, error: OutputError) -> OutputError:
        """Return an error that says how what is finished can be written."""
        if not self.watch.checkpoint.exists():
            return error
        is_there = self.file.exists() or (self.record is not None and self.record.exists())
        options = "--resume --force" if is_there and not self.force else "--resume"
        return OutputError(
            f"{error} '{self.watch.checkpoint}' holds the finished run; the same command with "
            f"{options} writes it."
        )
