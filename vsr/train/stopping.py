"""Ending a training run between two steps, where its state is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether Ctrl-C or SIGTERM has come since.

    The first one only sets this mark, so that the step at work can be ended and saved; another
    one acts at once, as it did before. Outside the main thread, where signals cannot be taken,
    nothing changes and the answer stays False.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped.is_set
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def mark(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    for number in _SIGNALS:
        signal.signal(number, mark)
    try:
        yield stopped.is_set
    finally:
        restore()
