"""The rewards that a command is given: those of a recipe, or one by its name."""

from pathlib import Path
from typing import Any

from margrpo.cli.given import recipe_of, sound
from margrpo.contracts import Requiring, Reward
from margrpo.errors import RecipeError
from margrpo.plugin import local
from margrpo.plugin.kinds import KINDS
from margrpo.plugin.registry import registry
from margrpo.recipe import Recipe
from margrpo.recipe.override import OverrideError, apply_overrides, parse_override
from margrpo.recipe.structure import component_of


def rewards_of(given: str, sets: list[str] | None) -> tuple[Reward, ...]:
    """The rewards, once their files and packages are there; imports no torch."""
    path = Path(given)
    is_name = local.names_file(given) or any(entry.name == given for entry in registry().entries("reward"))
    is_recipe = path.exists() and not is_name
    rewards = of_recipe(path, sets) if is_recipe else (by_name(given, sets or []),)
    for reward in rewards:
        if isinstance(reward, Requiring):
            reward.require()
    return rewards


def of_recipe(path: Path, sets: list[str] | None) -> tuple[Reward, ...]:
    """Those of a recipe, or the measure of a recipe for pre-training."""
    recipe = sound(recipe_of(path), sets, to_draw=True)
    return recipe.reward if isinstance(recipe, Recipe) else (recipe.measure,)


def by_name(name: str, sets: list[str]) -> Reward:
    """The reward of this name with its default settings, but for those that are set."""
    table: dict[str, Any] = {"use": local.anchored(name, Path.cwd())}
    try:
        apply_overrides(table, [parse_override(text) for text in sets])
    except OverrideError as error:
        raise RecipeError(name, [str(error)]) from None
    made: Reward = component_of(table, KINDS["reward"], source=name)
    return made
