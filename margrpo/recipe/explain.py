"""A recipe explained: as TOML with the meaning of every value, and as the JSON schema that an editor completes from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import tomlkit
from tomlkit.items import AoT, Table

from margrpo.errors import PluginError
from margrpo.plugin.kinds import KINDS, Kind, kind_of
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
    """The JSON schema of a recipe file, with every component that is installed."""
    found = among or registry()
    whole = [_object(cls, found) for cls in (Recipe, Pretraining)]
    training, pretraining = ({**each, "properties": {**each["properties"], "extends": _EXTENDS}} for each in whole)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "margrpo recipe",
        "if": {"required": ["dataset"]},
        "then": pretraining,
        "else": training,
        "$defs": {name: _choice(kind, found) for name, kind in KINDS.items()},
    }


_EXTENDS = {"type": "string", "description": "a recipe file, relative to this one, whose values this one builds on"}


def _write(into: Any, table: Mapping[str, Any], settings: Any) -> None:
    """Put a table's plain values first, because TOML would read them into the last table otherwise."""
    fields = settings_of(type(settings))
    for key in sorted(table, key=lambda key: _is_table(table[key])):
        made = getattr(settings, fields[key].name) if key in fields else None
        item = _item(table[key], made)
        into.add(key, item)
        meaning = fields[key].metadata.get("meaning") if key in fields else None
        if meaning and not isinstance(item, AoT):
            into[key].comment(meaning)


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


def _object(cls: type, among: Registry) -> JSON:
    """The schema of an attrs class; what a recipe may leave out at its top is not required."""
    properties, required = {}, []
    for key, field in settings_of(cls).items():
        properties[key] = _property(field, among, at_top=cls in (Recipe, Pretraining))
        optional_kind = cls in (Recipe, Pretraining) and key in KINDS and KINDS[key].default is not None
        if field.default is attrs.NOTHING and not optional_kind:
            required.append(key)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property(field: "attrs.Attribute[Any]", among: Registry, *, at_top: bool) -> JSON:
    described: JSON = _type(field.type, among)
    kind = kind_of(field.type)
    if at_top and kind and kind.default_use:
        described = {"anyOf": [described, _unnamed(kind, among)]}
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
    if kind := kind_of(cls):
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
    """One alternative per component of the kind; one that cannot be imported is named without its settings."""
    names = [entry.name for entry in among.entries(kind.name)]
    return {"description": kind.meaning, "oneOf": [_named(name, kind, among) for name in names]}


def _named(name: str, kind: Kind, among: Registry) -> JSON:
    entry = among.find(kind.name, name)
    use = {"const": name, "description": entry.summary}
    try:
        settings = _object(among.load(entry), among)
    except PluginError as error:
        return {"type": "object", "properties": {"use": use}, "required": ["use"], "description": str(error)}
    properties = {"use": use, **settings["properties"]}
    return {**settings, "properties": properties, "required": ["use", *settings["required"]]}


def _unnamed(kind: Kind, among: Registry) -> JSON:
    """The default component of a kind in a table that does not name it."""
    assert kind.default_use
    try:
        return _object(among.load(among.find(kind.name, kind.default_use)), among)
    except PluginError as error:
        return {"type": "object", "description": str(error), "not": {"required": ["use"]}}
