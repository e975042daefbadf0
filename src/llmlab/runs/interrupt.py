"""Defer Ctrl-C, or the signal that a scheduler ends a job with, to the end of a step."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def deferred_interrupt(is_alone: bool = True) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed; a second press interrupts at once.

    SIGTERM, from a scheduler or from `kill`, counts as Ctrl-C.

    The step that has begun is finished, so the state after it is whole and can be saved.

    Args:
        is_alone: whether no other process waits for data from this one's next step.
    """
    pressed = threading.Event()

    def note(signum: int, frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    if not is_alone or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield pressed.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
