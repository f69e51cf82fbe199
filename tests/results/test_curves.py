"""Pictures of curves: formats, repeatability, and what has nothing to draw."""

import io
import sys

import pytest
from PIL import Image

from ddcodec.errors import DataError, DdcError
from ddcodec.results.curves import NamedRun, _counted, _panels, _Timeline, draw_curves
from ddcodec.results.drawing import PICTURE_FORMATS
from ddcodec.results.run_log import LoggedRun, LoggedStep, LoggedValidation

_MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def _run(budget: int | None = 1000, checks: bool = True) -> LoggedRun:
    steps = [LoggedStep("pool training 1/2", step, None, 2.0, None, step) for step in (1, 2)]
    steps += [LoggedStep("start", 10 * step, 2000 / step, 9.0, 5.0, 2 + step) for step in (1, 2)]
    steps += [LoggedStep("start", 5, 1100.0, 8.0, 6.0, 5)]
    steps += [LoggedStep("joint", step, 1000.0, 1 / step, 6.0, 5 + step) for step in range(1, 120)]
    steps += [LoggedStep("settle", 1, 999.0, None, 7.0, 200)]
    validations = (LoggedValidation(5, 30.0, 5.5), LoggedValidation(9, 40.0, 9.5))
    return LoggedRun(budget, tuple(steps), validations if checks else (), 998)


@pytest.mark.parametrize("picture_format", PICTURE_FORMATS)
def test_formats(picture_format: str) -> None:
    """Each format is what it says, and equal runs give equal bytes."""
    runs = [NamedRun("a", _run()), NamedRun("b", _run(5000)), NamedRun("c", _run(None, False))]
    drawn = draw_curves(runs, "steps", picture_format)
    assert drawn.startswith(_MAGIC[picture_format])
    assert drawn == draw_curves(runs, "steps", picture_format)


def test_panels() -> None:
    """One panel for each quantity and each phase with a loss; pools are left out."""
    panels = _panels([_Timeline(NamedRun("a", _run()), "seconds")])
    titles = [title for title, _, _ in panels]
    assert titles == ["size", "multiplier", "loss, start", "loss, joint", "validation accuracy"]
    size, multiplier, start, joint, accuracy = (curves[0] for _, _, curves in panels)
    assert (size.x[:3], size.y[:3]) == ([3, 4, 5], [2.0, 1.0, 1.1])
    assert multiplier.y[:3] == [5.0, 5.0, 6.0]
    assert (start.y, len(joint.y)) == ([9.0, 9.0, 8.0], 119)
    assert (accuracy.x, accuracy.y) == ([5.5, 9.5], [30.0, 40.0])
    bare = _panels([_Timeline(NamedRun("a", _run(checks=False)), "seconds")])
    assert [title for title, _, _ in bare] == titles[:-1]


def test_steps_are_counted_through_all_phases() -> None:
    """A new phase or attempt goes on counting where the last one ended; pools count nothing."""
    run = _run()
    assert _counted(run.steps[:8]) == [0, 0, 10, 20, 25, 26, 27, 28]
    assert _Timeline(NamedRun("a", run), "steps").accuracy.x == [25, 29]


def test_picture_has_a_size_for_print() -> None:
    """Three panels side by side at 200 dots per inch."""
    picture = Image.open(io.BytesIO(draw_curves([NamedRun("a", _run())], "seconds", "png")))
    assert picture.size == (1560, 800)


def test_nothing_to_draw() -> None:
    """A run that has not begun is said so."""
    empty = LoggedRun(1000, (), (), None)
    with pytest.raises(DataError, match="no step"):
        draw_curves([NamedRun("a", empty)], "seconds", "png")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DdcError, match=r"pip install 'ddcodec\[plot\]'"):
        draw_curves([NamedRun("a", _run())], "seconds", "png")


def test_the_users_own_style_is_left_alone() -> None:
    """A style set before neither shows nor is lost."""
    import matplotlib

    plain = draw_curves([NamedRun("a", _run())], "seconds", "png")
    with matplotlib.rc_context({"font.size": 31.0}):
        assert draw_curves([NamedRun("a", _run())], "seconds", "png") == plain
        assert matplotlib.rcParams["font.size"] == 31.0
