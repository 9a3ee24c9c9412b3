"""An example of a component in a recipe."""

from typing import Any, get_args, get_origin

import attrs

from margrpo.cli.settings_table import default_of
from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.registry import Registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.messages import shown
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.recipe.structure import settings_of

STAND_INS: dict[Any, Any] = {bool: False, int: 1, float: 1.0, str: "…"}
"""Values for required settings, which the reader replaces."""


def example(entry: Entry, found: Registry) -> str:
    """The TOML of a component with its defaults written out; required settings have a stand-in."""
    kind = found.kinds[entry.kind]
    if kind.many:
        return table(f"[[{kind.name}]]", kind.name, entry, found)
    path = place_of(kind.name, found)
    return table(f"[{path}]", path, entry, found)


def place_of(kind: str, found: Registry) -> str:
    """The path of a kind's table: at the top of a recipe, or in the first component that takes the kind."""
    if any(kind in settings_of(cls) for cls in (Recipe, Pretraining)):
        return kind
    for entry in found.entries():
        for key, field in settings_of(loaded(entry, found)).items():
            if any(found.kinds.of(each) is found.kinds[kind] for each in inner_types(field.type)):
                return f"{entry.kind}.{key}"
    return kind


def loaded(entry: Entry, found: Registry) -> type:
    """The class of an entry, or a class without settings where it cannot be imported."""
    try:
        return found.load(entry)
    except PluginError:
        return _Nothing


@attrs.frozen
class _Nothing:
    """A component without settings."""


def table(head: str, path: str, entry: Entry, found: Registry) -> str:
    """A table, followed by the required tables inside it."""
    lines, nested = [head, f'use = "{entry.name}"'], []
    for key, field in settings_of(found.load(entry)).items():
        kind = next(filter(None, map(found.kinds.of, inner_types(field.type))), None)
        required = field.default is attrs.NOTHING
        if kind and required:
            inner = found.entries(kind.name)[0]
            nested.append(table(f"[{path}.{key}]", f"{path}.{key}", inner, found))
        elif required:
            lines.append(f"{key} = {shown(stand_in(field.type), 200)}")
        elif not kind and not field.metadata.get("by") and default_of(field) is not None:
            lines.append(f"{key} = {shown(default_of(field), 200)}")
    return "\n".join([*lines, "", *nested])


def stand_in(annotation: Any) -> Any:
    """A value of the annotated type."""
    cls = inner_types(annotation)[0]
    if get_origin(cls) in (tuple, list):
        return [STAND_INS.get(get_args(cls)[0], "…")]
    return STAND_INS.get(cls, "…")
