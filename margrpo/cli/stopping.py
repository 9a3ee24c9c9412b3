"""Ctrl-C: once is a wish to stop after the current step, twice an order."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from margrpo.cli.terminal import tell


@contextmanager
def stopping(sentence: str) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, which is answered with the sentence; a second one raises KeyboardInterrupt."""
    pressed: list[int] = []

    def press(number: int, _frame: FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        tell(sentence)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
