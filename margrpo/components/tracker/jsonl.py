"""The figures of a run as JSON Lines."""

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from margrpo.declare import component
from margrpo.errors import RunError

NAME, SAID = "metrics.jsonl", "said.jsonl"


@component
class Jsonl:
    """One line for each step in the run folder's metrics.jsonl, and one for each sentence in said.jsonl."""

    def open(self, folder: Path, title: str, steps: int, start: int) -> "JsonlTrack":
        """Append to the file, after dropping the lines of steps that will be done again."""
        path = Path(folder) / NAME
        keep_before(start, path)
        return JsonlTrack(path.open("a", encoding="utf-8"), Path(folder) / SAID)


class JsonlTrack:
    """An open metrics.jsonl; a line is on the disk when `write` returns."""

    def __init__(self, file: IO[str], said: Path):
        self._file, self._said = file, said

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append one line: the step, then the figures; one that is not finite, for which JSON has no word, is null."""
        finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"step": step, **finite}, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def say(self, sentence: str) -> None:
        """Append a sentence with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._said.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": now, "said": sentence}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def keep_before(start: int, path: Path) -> None:
    """Keep the lines of steps before `start`; a last line that a kill cut short goes too."""
    if not path.exists():
        return
    *lines, torn = path.read_text(encoding="utf-8").split("\n")
    kept = [line for number, line in enumerate(lines, start=1) if _step(line, f"{path}, line {number}") < start]
    if torn or len(kept) < len(lines):
        beside = path.with_suffix(".tmp")
        beside.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        os.replace(beside, path)


def _step(line: str, where: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{where}: {line[:60]!r} holds no step; repair the line or remove the file.") from error
