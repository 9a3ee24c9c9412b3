"""Conversion of a component to its TOML table in a recipe, and back."""

import tomllib
from typing import Any

import tomlkit

from margrpo.recipe.structure import component_of, table_of_component
from margrpo.testing.conformance.subject import Subject


def table_of(subject: Subject) -> dict[str, Any]:
    """The component's table, written to TOML and read again."""
    text = tomlkit.dumps(table_of_component(subject.component, subject.entry.kind, among=subject.registry))
    return tomllib.loads(text)


def back(subject: Subject, table: dict[str, Any]) -> Any:
    """The component of a table, or `RecipeError`."""
    return component_of(table, subject.entry.kind, among=subject.registry)
