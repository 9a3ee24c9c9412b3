"""A component's settings and the components nested in them at any depth, each with its place; imports no torch."""

from collections.abc import Iterator
from typing import Any

import attrs


def components(settings: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `settings` under `place`, then each component nested in them, as in ("reward.0.of", ...)."""
    yield place, settings
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        key = f"{place}.{field.name}" if place else field.name
        many = isinstance(value, tuple)
        for index, each in enumerate(value if many else (value,)):
            if attrs.has(type(each)):
                yield from components(each, f"{key}.{index}" if many else key)
