"""From an entry's target string to the component class it names."""

import importlib
from typing import Any

import attrs

from margrpo.errors import MargrpoError, PluginError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.kinds import KINDS


def import_component(entry: Entry) -> type:
    """The class an entry names, or a `PluginError` if there is none that can stand for its kind."""
    module_name, _, attribute = entry.target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{entry.id}: its module {module_name} cannot be imported: {described(error)}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise PluginError(f"{entry.id}: the module {module_name} has no {attribute}; correct the entry's target")
    if not isinstance(found, type) or not attrs.has(found):
        raise PluginError(f"{entry.id}: {entry.target} is no component class; put @margrpo.component above the class")
    check_contract(entry, found)
    return found


def described(error: BaseException) -> str:
    """An exception as one line: its text, after its type unless it is one of ours."""
    if isinstance(error, MargrpoError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}" if str(error) else type(error).__name__


def check_contract(entry: Entry, cls: Any) -> None:
    """Raise `PluginError` where a class lacks what the contract of its kind asks for."""
    contract = KINDS[entry.kind].protocol
    try:
        attrs.resolve_types(cls)
    except NameError as error:
        raise PluginError(f"{entry.id}: a setting of {entry.target} has an unknown type: {error}") from error
    asked = [name for name in (*vars(contract), *contract.__annotations__) if not name.startswith("_")]
    lacking = [name for name in asked if not hasattr(cls, name) and name not in attrs.fields_dict(cls)]
    if lacking:
        names = ", ".join(dict.fromkeys(lacking))
        raise PluginError(f"{entry.id}: {entry.target} lacks {names}, which the contract {contract.__name__} asks for")
