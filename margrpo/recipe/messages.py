"""Problems at places of a recipe, and their messages."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import attrs
from cattrs import StructureHandlerNotFoundError

from margrpo.declare import SettingError
from margrpo.errors import MargrpoError


@attrs.frozen
class Problem:
    """A problem: the keys that lead to its place, and the rest of a sentence that begins with the place."""

    path: tuple[str, ...]
    text: str

    def under(self, key: str) -> "Problem":
        """The problem, with `key` in front of its place."""
        return Problem((key, *self.path), self.text)

    def __str__(self) -> str:
        return f"{'.'.join(self.path)} {self.text}".strip()


class Unfit(Exception):
    """A value that cannot be structured, with every problem found in it."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


REFUSALS = (Unfit, MargrpoError, ValueError, TypeError, ArithmeticError, StructureHandlerNotFoundError)


def unfit(text: str) -> Unfit:
    """An `Unfit` with one problem at the value itself."""
    return Unfit([Problem((), text)])


def problems_of(error: Exception, value: Any) -> list[Problem]:
    """The problems that an error of `REFUSALS` stands for."""
    if isinstance(error, Unfit):
        return list(error.problems)
    if isinstance(error, SettingError):
        return [Problem((), f"= {shown(error.value)} must be {error.says}")]
    if isinstance(error, MargrpoError):
        return [Problem((), f"is refused: {error}")]
    return [Problem((), f"= {shown(value)} is not allowed: {' '.join(str(error).split())}")]


def sort_of(value: Any) -> str:
    """The type of a TOML value, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "an array"
    return {int: "a whole number", float: "a number with a fraction"}.get(type(value), f"a {type(value).__name__}")


def shown(value: Any, width: int = 80) -> str:
    """A value in TOML, shortened if it is long."""
    text = _toml(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """A suggestion of a known word near `word`, or else a list of all known words."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(names)}" if names else "there are none"


def _toml(value: Any) -> str:
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value)
