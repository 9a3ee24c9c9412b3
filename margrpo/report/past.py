"""A run read from its folder, whether the run goes on or has ended; imports no torch."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from margrpo.errors import RunError
from margrpo.run_folder import RunFolder, by_step


@attrs.frozen(slots=False)
class Past:
    """A run's recipe, figures, log and files, if they have been written.

    - `files`: where its files are
    - `name`: what the report calls the run
    - `recipe`: the table of its resolved recipe
    - `lines`: the figures of each step, as they stand in metrics.jsonl
    """

    files: RunFolder
    name: str
    recipe: Mapping[str, Any]
    lines: tuple[Mapping[str, Any], ...]

    @classmethod
    def all(cls, folders: Sequence[Path]) -> "list[Past]":
        """Read several runs; a run is called by its folder's name, or by its path where two folders share a name."""
        names = [folder.absolute().name for folder in folders]
        return [
            cls.of(folder, name if names.count(name) == 1 else str(folder))
            for folder, name in zip(folders, names, strict=True)
        ]

    @classmethod
    def of(cls, folder: Path, name: str = "") -> "Past":
        """Read a run folder, or raise `RunError` where the folder does not hold a run."""
        files = RunFolder(folder)
        files.refuse_of_before()
        if not files.recipe.is_file():
            raise RunError(f"{folder}: is not the folder of a run: it has no recipe.toml; give the folder of a run")
        try:
            recipe = tomllib.loads(files.recipe.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{files.recipe}: was changed after it was written ({error})") from None
        lines = (line for line in json_lines(files.metrics) if type(line.get("step")) is int)
        return cls(files, name or folder.absolute().name, recipe, tuple(lines))

    @property
    def title(self) -> str:
        """The title in its recipe, or else its name."""
        return str(self.recipe.get("title") or self.name)

    @property
    def steps(self) -> int:
        """The number of steps that its recipe asks for."""
        run = self.recipe.get("run")
        steps = run.get("steps") if isinstance(run, dict) else None
        return steps if type(steps) is int else 0

    @property
    def done(self) -> int:
        """The number of steps that are done."""
        if self.lines:
            return int(self.lines[-1]["step"]) + 1
        steps = self.summary.get("steps")
        return steps if type(steps) is int else 0

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """The result that a finished run writes; empty before."""
        return json_of(self.files.summary)

    @cached_property
    def versions(self) -> Mapping[str, Any]:
        """The versions of the libraries that it ran with."""
        return json_of(self.files.versions)

    @cached_property
    def log(self) -> tuple[Mapping[str, Any], ...]:
        """Every logged message, with its time."""
        lines = json_lines(self.files.log)
        return tuple(line for line in lines if all(isinstance(line.get(part), str) for part in ("time", "message")))

    @property
    def held_out(self) -> Mapping[str, Any]:
        """The held-out score before and after training, which a finished run has."""
        found = self.summary.get("held_out")
        return found if isinstance(found, dict) else {}

    @cached_property
    def names(self) -> list[str]:
        """The names of all figures, in order of appearance."""
        return list(dict.fromkeys(name for line in self.lines for name in line if name != "step"))

    def series(self, name: str) -> tuple[list[int], list[float]]:
        """The steps at which a figure was written, and its values; values that are not finite are left out."""
        numbers = [line for line in self.lines if type(line.get(name)) in (int, float)]
        found = [(int(line["step"]), float(line[name])) for line in numbers]
        return [step for step, _ in found], [value for _, value in found]

    @property
    def validations(self) -> dict[int, Path]:
        """The grids of held-out prompts by the number of steps before them."""
        return by_step(self.files.images, ".png")

    @property
    def maps(self) -> dict[int, Path]:
        """The files of token maps by the number of steps before them."""
        return by_step(self.files.maps, ".safetensors")

    @property
    def before_after(self) -> Path | None:
        """The pairs of pictures from the end of the run."""
        file = self.files.before_after
        return file if file.is_file() else None


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line; a line that is still being written is left out."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def json_of(file: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where the file is missing or cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
