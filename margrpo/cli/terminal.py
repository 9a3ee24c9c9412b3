"""The two streams that commands write to, and how a few things look on them."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from margrpo.distributed import torchrun


def out() -> Console:
    """Standard output: what was asked for."""
    return Console(highlight=False)


def err() -> Console:
    """Standard error: troubles, and what goes on meanwhile."""
    return Console(stderr=True, highlight=False)


def tell(sentence: str, *, word: str = "", style: str = "") -> None:
    """Print a sentence on standard error as it is, after a word in colour; a path in it is never broken.

    Of several processes the first one speaks; the others only where something is wrong.
    """
    if not torchrun.is_first() and not word:
        return
    who = "" if torchrun.is_first() else f"process {torchrun.rank()}: "
    line = Text.assemble(who, (f"{word}: ", style) if word else "", sentence)
    err().print(line, soft_wrap=True)


def facts(lines: list[tuple[str, str | Path]]) -> None:
    """Print names and values in two columns; a value is never broken, so that a path can be copied."""
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        out().print(Text.assemble((f"  {name:<{width}}  ", "dim"), str(value)), soft_wrap=True)


def size(count: float) -> str:
    """A number of bytes with a unit that suits it, of 1000."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"
