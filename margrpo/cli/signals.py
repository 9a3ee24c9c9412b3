"""Signals and time limits: the first signal asks to stop after the current step, the second stops at once."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from types import FrameType

from margrpo.cli.terminal import tell
from margrpo.errors import MargrpoError

WISHES = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C, and the signals that clusters send before they reclaim a machine."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", re.IGNORECASE)


class Stop:
    """Whether a run is asked to stop, and by which signal."""

    def __init__(self, after: float | None = None) -> None:
        self.began, self.after, self.signal = perf_counter(), after, 0

    @property
    def by_hand(self) -> bool:
        """Whether the signal was Ctrl-C."""
        return self.signal == signal.SIGINT

    def __call__(self) -> bool:
        """Whether a signal has come or the time limit has passed."""
        return bool(self.signal) or (self.after is not None and perf_counter() - self.began >= self.after)


@contextmanager
def stopping(sentence: str, after: float | None = None) -> Iterator[Stop]:
    """Note the first signal and print `sentence`; the second signal raises KeyboardInterrupt."""
    stop = Stop(after)

    def wish(number: int, _frame: FrameType | None) -> None:
        if stop.signal:
            raise KeyboardInterrupt
        stop.signal = number
        tell(sentence)

    before = {each: signal.signal(each, wish) for each in WISHES}
    try:
        yield stop
    finally:
        for each, what in before.items():
            signal.signal(each, what)


def seconds(text: str) -> float:
    """The seconds of a duration such as 90s, 55m or 1h30m; a bare number is seconds."""
    found = _DURATION.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise MargrpoError(f"{text!r} is not a duration; write 90s, 55m or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * 60 + rest
