"""Standard output and standard error, and how sentences, facts and sizes are printed on them."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from margrpo.distributed import torchrun


def out() -> Console:
    """Standard output, for results."""
    return Console(highlight=False)


def err() -> Console:
    """Standard error, for errors and progress."""
    return Console(stderr=True, highlight=False)


def tell(sentence: str, *, word: str = "", style: str = "") -> None:
    """Print a sentence on standard error, after `word` in colour; long lines are not wrapped, so paths stay whole.

    Rank 0 prints every sentence; other ranks print only a sentence with a `word`, which is an error or a warning.
    """
    if not torchrun.is_first() and not word:
        return
    who = "" if torchrun.is_first() else f"process {torchrun.rank()}: "
    line = Text.assemble(who, (f"{word}: ", style) if word else "", sentence)
    err().print(line, soft_wrap=True)


def facts(lines: list[tuple[str, str | Path]]) -> None:
    """Print names and values in two columns; values are not wrapped, so that paths can be copied."""
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        out().print(Text.assemble((f"  {name:<{width}}  ", "dim"), str(value)), soft_wrap=True)


def size(count: float) -> str:
    """A number of bytes with a decimal unit, such as 3.2 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"


def write_figures(to: Path | None, found: dict[str, Any]) -> None:
    """Write the figures into a JSON file, where one is given."""
    if to is not None:
        to.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
