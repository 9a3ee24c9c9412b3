"""The settings of a component as a table for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from margrpo.plugin.registry import Registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.messages import shown
from margrpo.recipe.structure import settings_of

WORDS: Mapping[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "string", Path: "path"}


def settings_table(cls: type, found: Registry) -> Table | Text:
    """A row for each setting: type, default, allowed values and meaning."""
    fields = settings_of(cls)
    if not fields:
        return Text("The component has no settings.", "dim")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("setting", style="bold", no_wrap=True)
    for name in ("type", "default", "allowed", "meaning"):
        table.add_column(name, overflow="fold")
    for key, field in fields.items():
        check, meaning = field.metadata.get("check"), field.metadata.get("meaning", "")
        allowed = check.says if check else choices(field.type, found)
        table.add_row(key, *map(escape, (type_words(field.type, found), default_words(field), allowed, meaning)))
    return table


def type_words(annotation: Any, found: Registry) -> str:
    """The types of a setting, in words."""
    return " or ".join(one_type(each, found) for each in inner_types(annotation))


def default_words(field: "attrs.Attribute[Any]") -> str:
    """The default as TOML, or `required`, or the setting that decides it."""
    if field.default is attrs.NOTHING:
        return "required"
    if other := field.metadata.get("by"):
        return f"by {other}"
    value = default_of(field)
    return "none" if value is None else shown(value, 40)


def default_of(field: "attrs.Attribute[Any]") -> Any:
    """The default value; a factory is called."""
    default: Any = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]


def one_type(cls: Any, found: Registry) -> str:
    """A type in words."""
    if found.kinds.of(cls):
        return "table"
    if get_origin(cls) in (tuple, list):
        return "array of " + plural(get_args(cls)[0], found)
    if get_origin(cls) in (dict, Mapping):
        return "table"
    if get_origin(cls) is Literal:
        return WORDS[type(get_args(cls)[0])]
    return WORDS.get(cls, getattr(cls, "__name__", str(cls)))


def plural(cls: Any, found: Registry) -> str:
    """A type in words, in the plural."""
    return {bool: "true or false"}.get(cls, one_type(cls, found) + "s")


def choices(annotation: Any, found: Registry) -> str:
    """The components that a nested table can use, or the values of a Literal."""
    for each in inner_types(annotation):
        if kind := found.kinds.of(each):
            return ", ".join(entry.name for entry in found.entries(kind.name))
        if get_origin(each) is Literal:
            return ", ".join(map(shown, get_args(each)))
    return ""
