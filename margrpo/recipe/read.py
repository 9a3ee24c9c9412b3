"""Reading of a TOML file, the files that it extends and the overrides into one merged table."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from margrpo.errors import RecipeError
from margrpo.plugin import from_file
from margrpo.plugin.kinds import Kinds
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.messages import shown
from margrpo.recipe.override import OverrideError, apply_overrides, beyond, parse_override

Table = dict[str, Any]


def read(path: Path | str, sets: Iterable[str] = (), *, among: Registry | None = None) -> Table:
    """The table of a recipe file, merged over the files it extends, with every `a.b=VALUE` applied."""
    kinds = (among or registry()).kinds
    data = _named(_chain(Path(path), (), kinds), kinds)
    problems = []
    overrides = []
    for text in sets:
        try:
            overrides.append(parse_override(text))
        except OverrideError as error:
            problems.append(str(error))
    try:
        apply_overrides(data, overrides)
    except OverrideError as error:
        problems.append(str(error))
    if problems:
        raise RecipeError(str(path), problems)
    return data


def merge(parent: Table, child: Table) -> Table:
    """The parent table with the child's values on top; a table of another component replaces the parent's table."""
    merged = dict(parent)
    for key, value in child.items():
        under: Any = parent.get(key)
        if isinstance(under, str) and isinstance(value, dict):
            under = {"use": under}
        both_tables = isinstance(value, dict) and isinstance(under, dict)
        merged[key] = merge(under, value) if both_tables and _same_component(under, value) else value
    return merged


def _same_component(parent: Any, child: Any) -> bool:
    return "use" not in child or child["use"] == parent.get("use")


def _chain(path: Path, children: tuple[Path, ...], kinds: Kinds) -> Table:
    resolved = path.resolve()
    if resolved in children:
        cycle = " extends ".join(each.name for each in (*children[children.index(resolved) :], resolved))
        raise RecipeError(str(path), [f"extends itself: {cycle}; remove one `extends`"])
    data = _parse(path)
    parent = data.pop("extends", None)
    if parent is None:
        return data
    if not isinstance(parent, str):
        raise RecipeError(str(path), [f"extends = {shown(parent)} must be the name of one recipe file, in quotes"])
    if not (path.parent / parent).is_file():
        raise RecipeError(str(path), [f"extends = {shown(parent)} names no file; it is looked for in {path.parent}"])
    return merge(_named(_chain(path.parent / parent, (*children, resolved), kinds), kinds), data)


def _parse(path: Path) -> Table:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(str(path), [f"cannot be read: {error.strerror}; give the path of a recipe"]) from error
    except UnicodeDecodeError as error:
        raise RecipeError(str(path), [f"is not text in UTF-8 (byte {error.start}); save it as UTF-8"]) from error
    try:
        table: Table = from_file.anchored(tomllib.loads(text), path.parent)
        return table
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(str(path), [f"is not TOML: {_with_place(str(error), text)}; correct it there"]) from error
    except (RecursionError, ValueError) as error:
        raise RecipeError(str(path), [f"cannot be read as TOML: {beyond(error)}"]) from None


def _with_place(said: str, text: str) -> str:
    """tomllib's message with a line and a column, which it leaves out if the file ends too early."""
    lines = text.split("\n")
    end = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return said[:1].lower() + said[1:].replace("(at end of document)", f"(at {end}, the end)")


def _named(data: Table, kinds: Kinds) -> Table:
    """The table with each default `use` written out, so that tables can be compared by their components."""
    named = dict(data)
    for name, kind in kinds.items():
        if kind.default_use and isinstance(named.get(name), dict):
            named[name] = {"use": kind.default_use, **named[name]}
    return named
