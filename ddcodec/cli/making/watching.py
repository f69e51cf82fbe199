"""How `ddc distill` watches a run: progress, log, checkpoint, and what an interrupt leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddcodec.budget import format_bytes
from ddcodec.cli.shared.console import ProgressReport
from ddcodec.cli.shared.group import Interrupted
from ddcodec.errors import DataError, DdcError, OutputError

if TYPE_CHECKING:
    from ddcodec.distill.running.progress import JudgeFile, Progress, Supervision, Validate

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Watch:
    """Where a run is kept and logged.

    Attributes:
        checkpoint: file of the interrupted run.
        resume: whether to go on from it.
        log_path: file of the log, or None.
        until: stage after which the run ends, or None.
    """

    checkpoint: Path
    resume: bool
    log_path: Path | None
    until: str | None = None

    def check(self, force: bool) -> None:
        """Refuse to lose an interrupted run or a file that is no log, or to resume none.

        Raises:
            DataError: if there is nothing to resume.
            OutputError: if something is there that may not be replaced.
        """
        from ddcodec.distill.running.stages import selected_path
        from ddcodec.export import check_output

        if self.resume and not self.is_kept:
            raise DataError(
                f"There is no checkpoint '{self.checkpoint}'; leave --resume out to begin."
            )
        if self.is_kept and not self.resume and not force:
            raise OutputError(
                f"'{self.checkpoint}' holds an interrupted run; go on with --resume, or start anew "
                "with --force."
            )
        if self.log_path is not None:
            check_output(self.log_path, force or self.resume, "--log")
        if self.until is not None:
            check_output(selected_path(self.checkpoint), force or self.resume)

    @property
    def is_kept(self) -> bool:
        """Whether there is anything of an interrupted run: of its first stages or later."""
        from ddcodec.distill.running.stages import begun_path
        from ddcodec.distill.search.trials import search_path

        first = (search_path(self.checkpoint), begun_path(self.checkpoint))
        return self.checkpoint.exists() or any(path.exists() for path in first)

    def remove_checkpoints(self) -> None:
        """Remove what was kept of a run that is finished and written, but selected images."""
        from ddcodec.distill.search.trials import search_path
        from ddcodec.kept.writing import discard

        # Last the one by which a run that goes on knows that there is one.
        self.remove_others()
        discard(search_path(self.checkpoint))
        discard(self.checkpoint)

    def remove_others(self) -> None:
        """Remove what an earlier run left of its stages and the later files of `--labels auto`."""
        from ddcodec.distill.auto_labels import CANDIDATES, label_checkpoint
        from ddcodec.distill.running.stages import begun_path
        from ddcodec.distill.search.trials import search_path
        from ddcodec.kept.writing import discard

        discard(begun_path(self.checkpoint))
        for labels in CANDIDATES[1:]:
            kept = label_checkpoint(self.checkpoint, labels)
            discard(search_path(kept))
            discard(kept)

    def suffixes(self, file: Path) -> tuple[str, ...]:
        """Return what is added to the name of a file by those that stand beside it."""
        from ddcodec.distill.auto_labels import CANDIDATES, label_checkpoint
        from ddcodec.distill.running.stages import begun_path, selected_path
        from ddcodec.distill.search.trials import search_path

        names = [label_checkpoint(self.checkpoint, labels).name for labels in CANDIDATES]
        names += [search_path(self.checkpoint.with_name(name)).name for name in names]
        names += [begun_path(self.checkpoint).name, selected_path(self.checkpoint).name]
        return tuple(name.removeprefix(file.name) for name in names)

    def command_again(self) -> str:
        """Return what goes on with the run after a loss, as a part of a sentence."""
        return f"the same command{' with --resume' if self.is_kept else ''}"

    @contextmanager
    def supervision(
        self, validate: Validate | None, judge_file: JudgeFile | None = None
    ) -> Iterator[Supervision]:
        """Watch a run as long as the context lasts."""
        from ddcodec.distill.running.progress import Supervision

        with ProgressReport() as report, self._log(report.notice) as record:
            try:
                yield Supervision(
                    on_progress=lambda progress: _show(report, progress),
                    on_phase=report.begin,
                    on_record=record,
                    on_notice=report.notice,
                    validate=validate,
                    judge_file=judge_file,
                    checkpoint=self.checkpoint,
                    resume=self.resume,
                    until=self.until,
                )
            except KeyboardInterrupt as error:
                if not self.is_kept:
                    raise
                raise Interrupted(
                    f"Interrupted; '{self.checkpoint}' holds the last state that was kept, and the "
                    "same command with --resume goes on from there."
                ) from error

    @contextmanager
    def _log(self, notice: Callable[[str], None]) -> Iterator[Callable[[Record], None]]:
        """Hand out what writes a record; a resumed run goes on with its log."""
        if self.log_path is None:
            yield lambda record: None
            return
        from ddcodec.kept.writing import discard
        from ddcodec.results.run_log import START, RunLog

        is_broken = has_begun = False

        def write(record: Record) -> None:
            nonlocal is_broken, has_begun
            has_begun = has_begun or record["event"] != START
            if is_broken:
                return
            try:
                log.write(record)
            except OutputError as error:
                # A run is worth more than its log.
                is_broken = True
                notice(f"{error} The run goes on without a log.")

        with RunLog(self.log_path) as log:
            if not self.resume:
                os.truncate(self.log_path, 0)
            try:
                yield write
            except DdcError:
                # A run that was refused has nothing to tell, and its log would refuse the next.
                if not self.resume and not has_begun:
                    log.close()
                    discard(self.log_path)
                raise


def _show(report: ProgressReport, progress: Progress) -> None:
    details = []
    if progress.rate_bytes is not None:
        details.append(f"{progress.rate_bytes:,.0f} of {format_bytes(progress.budget_bytes)}")
    if progress.loss is not None:
        details.append(f"loss {progress.loss:.4g}")
    if progress.accuracy is not None:
        details.append(f"validation {progress.accuracy:.1f} %")
    if progress.images_per_second is not None:
        details.append(f"{progress.images_per_second:,.0f} images/s")
    report.update(
        progress.phase, progress.step, progress.steps, "  ".join(details), progress.seconds_left
    )
