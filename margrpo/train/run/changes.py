"""The differences between two recipes."""

import json
from collections.abc import Mapping
from typing import Any


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """The differences between two tables: for each dotted key, the old value and the new one."""
    old, new = flat(before), flat(after)
    return {
        key: f"{value_text(old, key)}, now {value_text(new, key)}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    }


def flat(table: Any, path: str = "") -> dict[str, Any]:
    """The values of a table and of the tables in it by their dotted keys."""
    pairs = table.items() if isinstance(table, Mapping) else enumerate(table)
    values: dict[str, Any] = {}
    for key, value in pairs:
        inner = isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(v, Mapping) for v in value))
        values |= flat(value, f"{path}{key}.") if inner else {f"{path}{key}": value}
    return values


def value_text(values: Mapping[str, Any], key: str) -> str:
    """A value as JSON, short enough for a sentence."""
    return json.dumps(values[key], ensure_ascii=False)[:60] if key in values else "absent"
