"""A component by its kind and name, for measurements that compare components beside a recipe's own."""

from typing import Any

from margrpo.recipe.structure import component_of


def component(kind: str, use: str, **settings: Any) -> Any:
    """The component KIND.USE with these settings, or `RecipeError` with all problems."""
    return component_of({"use": use, **settings}, kind, source=f"{kind}.{use}")
