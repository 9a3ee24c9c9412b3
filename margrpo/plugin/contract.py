"""The check that a component class keeps the contract of its kind: its members, and its methods' arguments.

margrpo may pass any argument of a contract's method by position or by name, so a component's method has the names of
the contract. It may take more arguments where those have defaults.
"""

import inspect
from collections.abc import Mapping, Sequence
from inspect import Parameter
from types import FunctionType
from typing import Any, Generic, Protocol

import attrs

from margrpo.errors import PluginError
from margrpo.plugin.hookspecs import Entry

_ROOTS: tuple[Any, ...] = (object, Protocol, Generic)
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_PASSED_ON_BY: Mapping[Any, set[Any]] = {
    Parameter.POSITIONAL_ONLY: {Parameter.VAR_POSITIONAL},
    Parameter.POSITIONAL_OR_KEYWORD: {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD},
    Parameter.KEYWORD_ONLY: {Parameter.VAR_KEYWORD},
}
"""The catch-all parameter that takes an argument without a parameter of its own, by the way of passing it."""


def check_contract(entry: Entry, cls: Any, contract: Any) -> None:
    """Raise `PluginError` if a component class breaks the contract of its kind."""
    try:
        attrs.resolve_types(cls)
    except NameError as error:
        raise PluginError(f"{entry.id}: a setting of {entry.target} has an unknown type: {error}") from error
    asked = members(contract)
    lacking = [name for name in asked if not hasattr(cls, name) and name not in attrs.fields_dict(cls)]
    if lacking:
        names = ", ".join(lacking)
        raise PluginError(f"{entry.id}: {entry.target} lacks {names}, which the contract {contract.__name__} asks for")
    for name, member in asked.items():
        if trouble := misfit(inspect.getattr_static(cls, name, None), member):
            raise PluginError(f"{entry.id}: {entry.target}.{name}{trouble}")


def members(contract: Any) -> Mapping[str, Any]:
    """The public members of a contract and of its bases; a value that is only annotated is None."""
    found: dict[str, Any] = {}
    for base in contract.__mro__:
        if base not in _ROOTS:
            found = {**vars(base), **dict.fromkeys(inspect.get_annotations(base)), **found}
    return {name: member for name, member in found.items() if not name.startswith("_")}


def misfit(own: Any, member: Any) -> str | None:
    """The reason why a class's `own` member does not fit a contract's `member`, to follow the member's name."""
    if not isinstance(member, FunctionType):
        return " must be a value, not a method; put @property above it" if isinstance(own, FunctionType) else None
    wanted = parameters(member)[1:]
    if isinstance(own, FunctionType | staticmethod | classmethod):
        found = parameters(own)
        advice = remedy(found if isinstance(own, staticmethod) else found[1:], wanted)
        return f"{written(found)} must take {written(wanted)}; {advice}" if advice else None
    is_value = own is not None and not callable(own) and not hasattr(own, "__get__")
    return f" = {own!r} must be a method that takes {written(wanted)}" if is_value else None


def parameters(method: Any) -> list[Parameter]:
    """The parameters of a method, without their annotations."""
    function = method.__func__ if isinstance(method, staticmethod | classmethod) else method
    return [each.replace(annotation=Parameter.empty) for each in inspect.signature(function).parameters.values()]


def written(found: Sequence[Parameter]) -> str:
    """Parameters as Python writes them."""
    return str(inspect.Signature(found))


def remedy(found: Sequence[Parameter], wanted: Sequence[Parameter]) -> str | None:
    """The change that makes the parameters `found` take the `wanted` ones; None if they do."""
    own, asked = ({each.name: each for each in some if each.kind in _PASSED_ON_BY} for some in (found, wanted))
    kinds = {each.kind for each in found}
    passed_on = [name for name, each in asked.items() if kinds >= _PASSED_ON_BY[each.kind]]
    missing = [name for name in asked if name not in own and name not in passed_on]
    surplus = [name for name, each in own.items() if name not in asked and each.default is each.empty]
    if missing and surplus:
        return f"rename {surplus[0]!r} to {missing[0]!r}"
    if missing:
        return f"add {', '.join(map(repr, missing))}"
    if surplus:
        return f"give {surplus[0]!r} a default, because nothing is passed for it"
    return misplaced(own, asked) or undefaulted(own, asked)


def misplaced(own: Mapping[str, Parameter], asked: Mapping[str, Parameter]) -> str | None:
    """The change for an argument that cannot be passed by position, or by name; None if there is none."""
    order = [name for name, each in asked.items() if each.kind in _BY_POSITION]
    places = [name for name, each in own.items() if each.kind in _BY_POSITION]
    unnamed = [name for name, each in own.items() if each.kind is each.POSITIONAL_ONLY and name in asked]
    if any(asked[name].kind is not Parameter.POSITIONAL_ONLY for name in unnamed):
        return f"remove the / behind {unnamed[-1]!r}, which may be passed by name"
    if places[: len(order)] != order[: len(places)] or any(name in own and name not in places for name in order):
        return f"begin with {', '.join(map(repr, order))}, which may be passed by position"
    return None


def undefaulted(own: Mapping[str, Parameter], asked: Mapping[str, Parameter]) -> str | None:
    """The change for a required argument that margrpo may leave out; None if there is none."""
    optional = [name for name, each in asked.items() if each.default is not each.empty and name in own]
    needed = [name for name in optional if own[name].default is Parameter.empty]
    return f"give {needed[0]!r} a default, because it may be left out" if needed else None
