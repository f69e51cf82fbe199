"""Ctrl-C and a polite kill wait until a step is done, so that what is kept is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

PATIENCE_SECONDS = 1.0
"""A step that takes no longer ends without a word about it."""


@dataclass
class Interruption:
    """Whether somebody asked the run to stop."""

    requested: bool = False


@contextmanager
def deferred_interruption(on_wait: Callable[[], None]) -> Iterator[Interruption]:
    """Turn the first interrupt into a request; a second one stops at once.

    Only the main thread receives signals; elsewhere nothing is changed.

    Args:
        on_wait: called from another thread if the step goes on for long after the request.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.requested:
            raise KeyboardInterrupt
        interruption.requested = True
        late.start()

    late = threading.Timer(PATIENCE_SECONDS, on_wait)
    late.daemon = True
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield interruption
    finally:
        late.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)
