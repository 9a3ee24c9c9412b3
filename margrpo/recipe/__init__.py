"""Recipes: one TOML table per kind of component; imports no torch."""

from collections.abc import Iterable
from pathlib import Path

from margrpo.recipe.fit import check_fit
from margrpo.recipe.read import read
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.recipe.structure import structure, unstructure

__all__ = ["Pretraining", "Recipe", "load", "unstructure"]


def load(path: Path | str, sets: Iterable[str] = (), *, to_draw: bool = False) -> Recipe | Pretraining:
    """The recipe of a file with `a.b=VALUE` sets on top, or `RecipeError` with all its problems.

    With `to_draw`, problems that concern only learning are ignored.
    """
    recipe = structure(read(path, sets), source=str(path))
    check_fit(recipe, source=str(path), to_draw=to_draw)
    return recipe
