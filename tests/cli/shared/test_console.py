"""What a person sees while a run works."""

import io
import sys

import pytest

from ddcodec.cli.shared import console
from ddcodec.cli.shared.console import ProgressReport


def _lines(monkeypatch: pytest.MonkeyPatch, seconds: float) -> tuple[io.StringIO, ProgressReport]:
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    monkeypatch.setattr(console, "PLAIN_LINE_SECONDS", seconds)
    return heard, ProgressReport()


def test_a_phase_that_takes_long_to_begin_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first step may compile for minutes, which is no silence."""
    heard, report = _lines(monkeypatch, 0.0)
    with report:
        report.begin("joint")
        assert report._late is not None
        report._late.join()
        report.update("joint", 1, 2, "loss 3", None)
    assert heard.getvalue() == "joint  preparing\njoint  1/2  loss 3  \n"


def test_a_quick_phase_needs_no_line_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first step is what is said of it, and nothing comes after the end."""
    heard, report = _lines(monkeypatch, 60.0)
    with report:
        report.begin("start")
        report.update("start", 1, 2, "", 3.0)
        report.begin("fit")
    assert report._late is not None
    report._late.join(30.0)
    assert not report._late.is_alive(), "it would say something after the end"
    assert heard.getvalue() == "start  1/2    3.0 s left\n"
