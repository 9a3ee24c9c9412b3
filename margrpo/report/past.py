"""A run as its folder tells of it, whether it goes on or ended long ago; imports no torch."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

from margrpo.errors import RunError
from margrpo.pictures.token_maps import FOLDER as MAPS


@attrs.frozen(slots=False)
class Past:
    """What a run has written so far."""

    folder: Path
    name: str
    recipe: Mapping[str, Any]
    lines: tuple[Mapping[str, Any], ...]

    @classmethod
    def all(cls, folders: Sequence[Path]) -> "list[Past]":
        """Read several, each called by its folder's own name, or by its path where two have the same."""
        names = [folder.absolute().name for folder in folders]
        return [
            cls.of(folder, name if names.count(name) == 1 else str(folder))
            for folder, name in zip(folders, names, strict=True)
        ]

    @classmethod
    def of(cls, folder: Path, name: str = "") -> "Past":
        """Read a run folder; `RunError` where it is none."""
        file = folder / "recipe.toml"
        if not file.is_file():
            raise RunError(f"{folder}: holds no run (there is no recipe.toml); give the folder of a run")
        try:
            recipe = tomllib.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunError(f"{file}: is not as it was written ({error})") from None
        lines = (line for line in json_lines(folder / "metrics.jsonl") if type(line.get("step")) is int)
        return cls(folder, name or folder.absolute().name, recipe, tuple(lines))

    @property
    def title(self) -> str:
        """What its recipe calls itself."""
        return str(self.recipe.get("title") or self.name)

    @property
    def steps(self) -> int:
        """How many steps it is to have."""
        run = self.recipe.get("run")
        steps = run.get("steps") if isinstance(run, dict) else None
        return steps if type(steps) is int else 0

    @property
    def done(self) -> int:
        """How many it has."""
        if self.lines:
            return int(self.lines[-1]["step"]) + 1
        steps = self.summary.get("steps")
        return steps if type(steps) is int else 0

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """What it says at its end; nothing before."""
        return json_of(self.folder / "summary.json")

    @cached_property
    def versions(self) -> Mapping[str, Any]:
        """The libraries that it ran with."""
        return json_of(self.folder / "versions.json")

    @cached_property
    def said(self) -> tuple[Mapping[str, Any], ...]:
        """What it said, with the time."""
        lines = json_lines(self.folder / "said.jsonl")
        return tuple(line for line in lines if all(isinstance(line.get(part), str) for part in ("time", "said")))

    @property
    def held_out(self) -> Mapping[str, Any]:
        """The held-out score before and after, as it says at its end."""
        found = self.summary.get("held_out")
        return found if isinstance(found, dict) else {}

    @cached_property
    def names(self) -> list[str]:
        """Every figure that it wrote, in order of appearance."""
        return list(dict.fromkeys(name for line in self.lines for name in line if name != "step"))

    def series(self, name: str) -> tuple[list[int], list[float]]:
        """The steps at which a figure was written, and its values; one that was not finite is left out."""
        numbers = [line for line in self.lines if type(line.get(name)) in (int, float)]
        found = [(int(line["step"]), float(line[name])) for line in numbers]
        return [step for step, _ in found], [value for _, value in found]

    @property
    def looks(self) -> dict[int, Path]:
        """The grids of held-out prompts by the number of steps before them."""
        return numbered(self.folder / "images", "step", ".png")

    @property
    def maps(self) -> dict[int, Path]:
        """The files of token maps by the number of steps before them."""
        return numbered(self.folder / MAPS, "step", ".safetensors")

    @property
    def before_after(self) -> Path | None:
        """The pairs of pictures from the end of the run."""
        file = self.folder / "images" / "before_after.png"
        return file if file.is_file() else None


def numbered(folder: Path, stem: str, suffix: str) -> dict[int, Path]:
    """The files of a folder that have a number in their names, in order."""
    files = sorted(folder.glob(f"{stem}-*{suffix}")) if folder.is_dir() else []
    named = {file: file.name.removeprefix(f"{stem}-").removesuffix(suffix) for file in files}
    return {int(number): file for file, number in named.items() if number.isdecimal()}


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file, without one that is not whole yet, as of a run that is writing it."""
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
    """An object in a file; an empty one where there is none, or none that can be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
