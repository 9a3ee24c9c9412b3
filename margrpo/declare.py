"""Declarations of components, their settings and records; imports no torch."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import attrs

from margrpo.errors import MargrpoError

T = TypeVar("T")
REQUIRED: Any = attrs.NOTHING


@attrs.frozen
class Check:
    """A condition on one setting: a predicate, the words for it, and its JSON schema."""

    holds: Callable[[Any], bool]
    says: str
    schema: Mapping[str, Any] = attrs.field(factory=dict)

    def __call__(self, _owner: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Raise `SettingError` unless `value` is allowed; None, which stands for an absent setting, always is."""
        if value is not None and not self.holds(value):
            raise SettingError(attribute.name, value, self.says)


class SettingError(MargrpoError):
    """A setting outside its range: the name, the value and what is allowed."""

    def __init__(self, name: str, value: Any, says: str):
        self.name, self.value, self.says = name, value, says
        super().__init__(f"{name} = {value!r} must be {says}")


positive = Check(lambda value: value > 0, "greater than 0", {"exclusiveMinimum": 0})
not_negative = Check(lambda value: value >= 0, "0 or more", {"minimum": 0})


def at_least(low: float) -> Check:
    """Allow numbers from `low` upwards."""
    return Check(lambda value: value >= low, f"{low} or more", {"minimum": low})


def between(low: float, high: float, *, open_low: bool = False) -> Check:
    """Allow numbers from `low` to `high`, both included unless `open_low`."""
    schema = {"exclusiveMinimum" if open_low else "minimum": low, "maximum": high}
    says = f"greater than {low} and at most {high}" if open_low else f"between {low} and {high}"
    return Check(lambda value: (low < value if open_low else low <= value) and value <= high, says, schema)


def one_of(*allowed: Any) -> Check:
    """Allow exactly the values in `allowed`."""
    return Check(lambda value: value in allowed, "one of " + ", ".join(map(repr, allowed)), {"enum": list(allowed)})


def setting(default: Any = REQUIRED, meaning: str = "", *, check: Check | None = None, by: str = "") -> Any:
    """Declare one TOML key of a component: its default (or REQUIRED), its meaning with unit, its allowed values.

    With `by`, the default is a function of the value of another setting, which is declared above.
    """
    if by:
        default = _following(by, default)
    return attrs.field(default=default, validator=check, metadata={"meaning": meaning, "check": check, "by": by})


def _following(other: str, default: Callable[[Any], Any]) -> Any:
    def made(settings: Any) -> Any:
        value = getattr(settings, other)
        try:
            return default(value)
        except LookupError:
            raise SettingError(other, value, "a known value") from None

    return attrs.Factory(made, takes_self=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def component(cls: type[T]) -> type[T]:
    """Make a class a component: frozen, keyword-only, its annotated fields are the keys of its TOML table."""
    return attrs.frozen(kw_only=True, slots=False)(cls)


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a class a record: frozen tensors that flow together, shapes checked in tests."""
    return dataclasses.dataclass(frozen=True, eq=False)(cls)
