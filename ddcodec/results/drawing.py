"""Pictures of one style, equal for equal content; needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddcodec.errors import DdcError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_FORMATS = ("png", "svg", "pdf")

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 0.9,
    "legend.frameon": False,
    # The same curves give the same bytes.
    "svg.hashsalt": "ddcodec",
}
_DPI = 200


def draw_picture(paint: Callable[[Figure], None], picture_format: str) -> bytes:
    """Return what is painted on an empty figure.

    Args:
        paint: draws on the figure and sets its size.
        picture_format: one of PICTURE_FORMATS.

    Raises:
        DdcError: if matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DdcError("Drawing needs matplotlib; pip install 'ddcodec[plot]'.") from error
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(dpi=_DPI, layout="constrained")
        paint(figure)
        stream = io.BytesIO()
        undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(stream, format=picture_format, metadata=undated[picture_format])
    return stream.getvalue()


def colour(number: int) -> str:
    """Return the colour of one of several curves."""
    return _COLOURS[number % len(_COLOURS)]
