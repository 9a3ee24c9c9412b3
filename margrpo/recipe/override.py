"""Overrides `--set a.b=VALUE`, which change one value of a recipe from the command line."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from margrpo.plugin import from_file
from margrpo.recipe.messages import shown

LONGEST = 80


class OverrideError(Exception):
    """A `--set` that cannot be applied, as a sentence for the recipe's error."""


@attrs.frozen
class Override:
    """A path into a recipe and the value to put there."""

    text: str
    path: tuple[str, ...]
    value: Any

    @property
    def picks_component(self) -> bool:
        """Whether the override chooses the component of a table."""
        return len(self.path) > 1 and self.path[-1] == "use"


def parse_override(text: str) -> Override:
    """Read `a.b=VALUE`; VALUE is TOML, and a bare word that is not a TOML value is a string."""
    dotted, equals, raw = text.partition("=")
    path = tuple(part.strip() for part in dotted.split("."))
    if not equals or not all(path):
        raise OverrideError(f"--set {quoted(text)} must look like run.steps=50")
    if path == ("extends",):
        raise OverrideError(f"--set {quoted(text)} comes too late: a recipe extends another in its own file only")
    return Override(text, path, from_file.anchored(_value(raw.strip(), text), Path.cwd()))


def apply_overrides(data: dict[str, Any], overrides: Iterable[Override]) -> None:
    """Put every value in its place, components first, so that the order of `use` and its settings does not matter."""
    for override in sorted(overrides, key=lambda override: not override.picks_component):
        _put(data, override)


def quoted(text: str) -> str:
    """A text in quotes, shortened if it is long."""
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def beyond(error: Exception) -> str:
    """The limit of Python's TOML reader that a text exceeds."""
    if isinstance(error, RecursionError):
        return "its arrays or tables lie too deep in one another"
    return "a number in it has too many digits"


def _value(raw: str, text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except tomllib.TOMLDecodeError as error:
        if raw[:1] in ("[", "{", '"', "'"):
            raise OverrideError(f"--set {quoted(text)} is not a TOML value: {error}") from error
        return raw
    except (RecursionError, ValueError) as error:
        raise OverrideError(f"--set {quoted(text)} cannot be read as TOML: {beyond(error)}") from None
    value = parsed["value"]
    plain = len(parsed) == 1 and isinstance(value, (bool, int, float, str, list, dict))
    return value if plain else raw  # a date or a line break was not meant as TOML


def _put(data: dict[str, Any], override: Override) -> None:
    place: Any = data
    for depth, part in enumerate(override.path[:-1]):
        place = _inside(place, part, override, depth)
    last = override.path[-1]
    if isinstance(place, list):
        place[_index(place, last, override)] = override.value
    elif not isinstance(place, dict):
        raise OverrideError(
            f"--set {quoted(override.text)}: {'.'.join(override.path[:-1])} is {shown(place)}, which is not a table"
        )
    elif override.picks_component and place.get("use") != override.value:
        place.clear()
        place["use"] = override.value
    else:
        place[last] = override.value


def _inside(place: Any, part: str, override: Override, depth: int) -> Any:
    if isinstance(place, list):
        return place[_index(place, part, override)]
    if not isinstance(place, dict):
        raise OverrideError(
            f"--set {quoted(override.text)}: {'.'.join(override.path[:depth])} is {shown(place)}, which is not a table"
        )
    if isinstance(place.get(part), str):
        place[part] = {"use": place[part]}
    return place.setdefault(part, {})


def _index(items: list[Any], part: str, override: Override) -> int:
    if not part.isdecimal() or int(part) >= len(items):
        raise OverrideError(
            f"--set {quoted(override.text)}: there is no {part!r}; the tables are 0 to {len(items) - 1}"
        )
    return int(part)
