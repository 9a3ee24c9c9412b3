"""A tracker that shows the progress of a run on the terminal."""

from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from margrpo.declare import component, positive, setting

if TYPE_CHECKING:
    from rich.console import Console as Terminal

MAIN = ("reward", "loss", "held_out", "kl", "gradient_norm")


@component
class Console:
    """Progress bar with the time left and the main figures; plain lines if standard error is not a terminal."""

    every: int = setting(10, "steps between plain lines, if standard error is not a terminal", check=positive)
    figures: tuple[str, ...] = setting(MAIN, "figures to show, besides the seconds of each part")

    def open(self, folder: Any, title: str, steps: int, start: int) -> "Bar | Plain":
        """Show the run on standard error."""
        from rich.console import Console as Terminal

        return self.open_on(Terminal(stderr=True), title, steps=steps, start=start)

    def open_on(self, terminal: "Terminal", title: str, *, steps: int, start: int) -> "Bar | Plain":
        """Show the run on `terminal`, or with plain lines if it is not a terminal."""
        view = View(self.figures)
        if terminal.is_terminal:
            return Bar(terminal, view, title=title, steps=steps, start=start)
        return Plain(terminal, view, steps=steps, start=start, every=self.every)


class View:
    """The latest value of every figure, as text."""

    def __init__(self, names: tuple[str, ...]):
        self._names = names
        self._latest: dict[str, float] = {}

    def lines(self, figures: Mapping[str, float]) -> tuple[str, ...]:
        """The figures to show, then the seconds of each part; figures of rare measurements keep their last value."""
        self._latest.update(figures)
        shown = [f"{name} {self._latest[name]:.4g}" for name in self._names if name in self._latest]
        parts = [f"{name.partition('/')[2]} {value:.2g} s" for name, value in figures.items() if is_seconds(name)]
        return ("  ".join(shown), f"({', '.join(parts)})") if parts else ("  ".join(shown),)


def is_seconds(name: str) -> bool:
    """Whether a figure is the duration of a part of the step."""
    return name.startswith("seconds/")


class Bar:
    """A live bar with the figures and the seconds under it."""

    def __init__(self, terminal: "Terminal", view: View, *, title: str, steps: int, start: int):
        from rich.console import Group
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        # A step may take a minute, and the usual 30 seconds of memory would hold no speed to tell the time left from.
        self._bar = Progress(*columns, console=terminal, speed_estimate_period=1800)
        self._task = self._bar.add_task(title, total=steps, completed=start)
        self._view, self._line = view, Text(no_wrap=True, overflow="ellipsis")
        self._live = Live(Group(self._bar, self._line), console=terminal, refresh_per_second=4)
        self._live.start()

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Move the bar and renew the line."""
        self._line.plain = "\n".join(self._view.lines(figures))
        self._bar.update(self._task, completed=step + 1)

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self._live.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the bar in its last state."""
        self._live.stop()


class Plain:
    """A line every few steps, and after the last."""

    def __init__(self, terminal: "Terminal", view: View, *, steps: int, start: int, every: int):
        self._terminal, self._view = terminal, view
        self._steps, self._start, self._every = steps, start, every
        self._began = monotonic()

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures, and print them if a line is due."""
        line, done = "  ".join(self._view.lines(figures)), step + 1
        if done % self._every == 0 or done == self._steps:
            left = (monotonic() - self._began) / (done - self._start) * (self._steps - done)
            self.say(f"step {done}/{self._steps}  {line}  {duration(left)} left")

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self._terminal.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Do nothing: every line has been printed."""


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
