"""The references that --references asks for, trained where they are not known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ddcodec.cli.shared.console import ProgressReport
from ddcodec.cli.shared.training_progress import show_on
from ddcodec.errors import DataError

if TYPE_CHECKING:
    from ddcodec.datasets import Dataset, ImageSplit
    from ddcodec.evaluation import EvaluationSettings, Judgement


class Compared:
    """The references that --references asks for."""

    def __init__(
        self, real: Dataset, test: ImageSplit, split: str, wanted: str, report: ProgressReport
    ) -> None:
        from ddcodec.datasets import default_cache_dir
        from ddcodec.evaluation.references import References

        self._references = References(real, test, split, default_cache_dir())
        self._wanted, self._report = wanted, report

    def add_to(
        self, judgement: Judgement, labels: Any, size_bytes: int, settings: EvaluationSettings
    ) -> Judgement:
        """Train what is not in the cache, after saying what that takes."""
        from ddcodec.evaluation.references import cost

        wanted = {"random_real": self._references.random_real(labels)}
        if self._wanted in ("coded", "all"):
            try:
                wanted["coded_real"] = self._references.coded_real(size_bytes)
            except DataError as error:
                # A very small file; the other references still tell what it is worth.
                self._report.notice(str(error))
        if self._wanted == "all":
            wanted["full_data"] = self._references.full_data()
        for field, reference in wanted.items():
            missing = self._references.missing(reference, settings)
            if missing:
                self._report.notice(
                    f"{reference.name}, {settings.arch}: "
                    f"{cost(reference, settings, len(missing))}, kept for the next time."
                )
            shown = replace(
                settings, on_progress=show_on(self._report, f"{settings.arch} {reference.name}")
            )
            found = {field: self._references.report(reference, shown)}
            judgement = replace(judgement, **found)  # type: ignore[arg-type]
        return judgement
