"""Explanations of recipes: TOML with the meaning of every value, and the JSON schema for editors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import tomlkit
from tomlkit.items import AoT, Table

from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Kind
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.recipe.structure import settings_of, unstructure

JSON = dict[str, Any]
_SCALARS: Mapping[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def explain(recipe: Recipe | Pretraining, *, among: Registry | None = None) -> str:
    """The recipe as TOML with every default written out, each value with its meaning beside it."""
    document = tomlkit.document()
    _write(document, unstructure(recipe, among=among), recipe)
    return tomlkit.dumps(document)


def schema(*, among: Registry | None = None) -> JSON:
    """The JSON schema of a recipe file, with every component that is installed.

    The schema does not require keys that a file may inherit from the file that it extends.
    """
    found = among or registry()
    training, pretraining = _whole(Recipe, found), _whole(Pretraining, found)
    extending = {"if": {"required": ["extends"]}, "then": {"anyOf": [training, pretraining]}, "else": training}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "margrpo recipe",
        "if": {"required": ["dataset"]},
        "then": pretraining,
        "else": extending,
        "$defs": {name: _choice(kind, found) for name, kind in found.kinds.items()},
    }


_EXTENDS = {"type": "string", "description": "recipe file to extend, relative to this file"}


def _write(into: Any, table: Mapping[str, Any], settings: Any) -> None:
    """Write a table's plain values first, because TOML would otherwise read them into the last nested table."""
    fields = settings_of(type(settings))
    for key in sorted(table, key=lambda key: _is_table(table[key])):
        made = getattr(settings, fields[key].name) if key in fields else None
        item = _item(table[key], made)
        meaning = fields[key].metadata.get("meaning") if key in fields else None
        if meaning and not isinstance(item, AoT):
            item.comment(meaning)
        into.add(key, item)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(each, Mapping) for each in value))


def _item(value: Any, made: Any) -> Any:
    if isinstance(value, Mapping):
        return _table(value, made)
    if _is_table(value):
        array = tomlkit.aot()
        for each, part in zip(value, made, strict=True):
            array.append(_table(each, part))
        return array
    return tomlkit.item(value)


def _table(value: Mapping[str, Any], made: Any) -> Table:
    table = tomlkit.table()
    if attrs.has(type(made)):
        _write(table, value, made)
    else:
        table.update(value)
    return table


def _whole(cls: type, among: Registry) -> JSON:
    """The schema of a whole file, which must have the tables without a default unless it extends another file."""
    made = _object(cls, among)
    fields = settings_of(cls).items()
    needed = [key for key, field in fields if field.default is attrs.NOTHING and not _has_default(key, among)]
    absent: JSON = {"if": {"not": {"required": ["extends"]}}, "then": {"required": needed}}
    return {**made, **absent, "properties": {**made["properties"], "extends": _EXTENDS}}


def _has_default(key: str, among: Registry) -> bool:
    return key in among.kinds and among.kinds[key].default is not None


def _object(cls: type, among: Registry) -> JSON:
    properties = {key: _property(field, among) for key, field in settings_of(cls).items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _property(field: "attrs.Attribute[Any]", among: Registry) -> JSON:
    described = _type(field.type, among)
    if check := field.metadata.get("check"):
        described = {**described, **check.schema}
    if meaning := field.metadata.get("meaning"):
        described = {**described, "description": meaning}
    if isinstance(field.default, (bool, int, float, str)):
        described = {**described, "default": field.default}
    return described


def _type(annotation: Any, among: Registry) -> JSON:
    choices = inner_types(annotation)
    if len(choices) > 1:
        return {"anyOf": [_type(each, among) for each in choices]}
    cls = choices[0]
    if kind := among.kinds.of(cls):
        return {"$ref": f"#/$defs/{kind.name}"}
    if cls in _SCALARS:
        return {"type": _SCALARS[cls]}
    if get_origin(cls) is Literal:
        return {"enum": list(get_args(cls))}
    if get_origin(cls) in (dict, Mapping):
        return {"type": "object", "additionalProperties": _type(get_args(cls)[1], among)}
    if get_origin(cls) in (tuple, list):
        return _array([_type(each, among) for each in get_args(cls) if each is not ...], Ellipsis in get_args(cls))
    return _object(cls, among) if attrs.has(cls) else {}


def _array(items: list[JSON], any_length: bool) -> JSON:
    if any_length or len(items) == 1:
        return {"type": "array", "items": items[0]}
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _choice(kind: Kind, among: Registry) -> JSON:
    """One alternative per component, or a component's name alone.

    A table without a `use` may continue the component of an extended file.
    """
    names = [entry.name for entry in among.entries(kind.name)]
    return {
        "type": ["object", "string"],
        "description": kind.meaning,
        "if": {"required": ["use"]},
        "then": {"oneOf": [*(_named(name, kind, among) for name in names), _FROM_FILE]},
    }


_FROM_FILE: JSON = {
    "type": "object",
    "properties": {"use": {"type": "string", "pattern": r"\.py:[A-Za-z_]\w*$", "description": "a file's component"}},
    "required": ["use"],
}


def _named(name: str, kind: Kind, among: Registry) -> JSON:
    """The schema of a component's table; without settings if the component cannot be imported."""
    entry = among.find(kind.name, name)
    use = {"const": name, "description": entry.summary}
    try:
        settings = _object(among.load(entry), among)
    except PluginError as error:
        return {"type": "object", "properties": {"use": use}, "required": ["use"], "description": str(error)}
    return {**settings, "properties": {"use": use, **settings["properties"]}, "required": ["use"]}
