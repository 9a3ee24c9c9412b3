"""A tracker that writes JSON Lines."""

import json
import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from margrpo.declare import component
from margrpo.errors import RunError
from margrpo.run_folder import RunFolder


@component
class Jsonl:
    """Figures in the run folder's metrics.jsonl, one line for each step, and messages in its log.jsonl."""

    def open(self, folder: Path, title: str, steps: int, start: int) -> "JsonlTrack":
        """Append to the files, after dropping the figures of steps that will be done again."""
        files = RunFolder(Path(folder))
        keep_before(start, files.metrics)
        return JsonlTrack(files.metrics.open("a", encoding="utf-8"), files.log)


class JsonlTrack:
    """An open metrics.jsonl; a line is on the disk when `write` returns."""

    def __init__(self, file: IO[str], log: Path):
        self._file, self._log = file, log

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Append one line: the step, then the figures; a figure that is not finite is written as null."""
        finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"step": step, **finite}, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def say(self, sentence: str) -> None:
        """Append a message with its time to the log."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": now, "message": sentence}, ensure_ascii=False) + "\n")

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
        raise RunError(f"{where}: {line[:60]!r} does not name its step; repair the line or remove the file") from error
