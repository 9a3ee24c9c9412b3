"""A component as the TOML table that a recipe would hold, and back."""

import tomllib
from typing import Any

import tomlkit

from margrpo.plugin.kinds import KINDS
from margrpo.recipe.structure import component_of, table_of_component
from margrpo.testing.conformance.subject import Subject


def table_of(subject: Subject) -> dict[str, Any]:
    """The table, through a text in TOML."""
    kind = KINDS[subject.entry.kind]
    text = tomlkit.dumps(table_of_component(subject.component, kind, among=subject.registry))
    return tomllib.loads(text)


def back(subject: Subject, table: dict[str, Any]) -> Any:
    """The component that a table means, or a `RecipeError`."""
    return component_of(table, KINDS[subject.entry.kind], among=subject.registry)
