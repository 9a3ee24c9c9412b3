"""Import of the component class that an entry names."""

import importlib

import attrs

from margrpo.errors import MargrpoError, PluginError
from margrpo.plugin.contract import check_contract
from margrpo.plugin.hookspecs import Entry


def import_component(entry: Entry, contract: type) -> type:
    """The class that an entry names; `PluginError` if it does not keep the contract of its kind."""
    module_name, _, attribute = entry.target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{entry.id}: its module {module_name} cannot be imported: {described(error)}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise PluginError(f"{entry.id}: the module {module_name} has no {attribute}; correct the entry's target")
    if not isinstance(found, type) or not attrs.has(found):
        raise PluginError(f"{entry.id}: {entry.target} is not a component class; put @margrpo.component above it")
    check_contract(entry, found, contract)
    return found


def described(error: BaseException) -> str:
    """An exception as one line: its text, after its type unless it is a `MargrpoError`."""
    if isinstance(error, MargrpoError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}" if str(error) else type(error).__name__
