"""The check that files and packages of a recipe are on this machine; does not use the network."""

from collections.abc import Iterator

from margrpo.contracts import Codec, Policy
from margrpo.errors import RecipeError
from margrpo.recipe.messages import shown
from margrpo.recipe.requirements import missing
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.weights import source as weight_source

SMALL = {
    "run": {"steps": 1, "eval_prompts": 2, "held_out": 2},
    "prompts": {"prompts": 2, "group": 2},
    "unmasking": {"steps": 4},
    "sampler": {"steps": 10},
    "timesteps": {"ar_steps": 2, "transitions": 3},
}
"""Settings of a smoke run, by table."""


def check_presence(recipe: Recipe | Pretraining, *, source: str = "recipe") -> None:
    """Raise `RecipeError` if a file or package is missing; the error says which, where, and what to do."""
    problems, hint = lacking(recipe)
    if problems:
        raise RecipeError(source, [*problems, *([hint] if hint else [])])


def lacking(recipe: Recipe | Pretraining) -> tuple[list[str], str]:
    """Sentences about missing parts, and a hint for a smoke run if weights are missing."""
    absent = {table: sentence for table, part in loaded(recipe) if (sentence := absence(table, part))}
    problems, hint = list(absent.values()), ""
    if absent:
        sets = [*(f"{table}.weights=random" for table in absent), *small(recipe)]
        hint = f"to see the path work with random weights, add {' '.join(f'--set {each}' for each in sets)}"
    return [*problems, *missing(recipe)], hint


def not_here(recipe: Recipe | Pretraining) -> list[str]:
    """The sources that are not known to be on this machine."""
    sources = dict.fromkeys(part.checkpoint for _, part in loaded(recipe))
    return [each for each in sources if weight_source.obstacle(each) or weight_source.located(each) is None]


def small(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Overrides that make a run short, for settings that the recipe's components have and that are larger."""
    for table, most in SMALL.items():
        part = getattr(recipe, table, None)
        for key, value in most.items():
            if getattr(part, key, 0) > value:
                yield f"{table}.{key}={value}"


def loaded(recipe: Recipe | Pretraining) -> Iterator[tuple[str, Policy | Codec]]:
    """The tables that load a file, with their components."""
    for table, part in (("policy", recipe.policy), ("codec", recipe.codec)):
        if part.checkpoint and part.weights != "random":
            yield table, part


def absence(table: str, part: Policy | Codec) -> str:
    """A sentence about a file that cannot be loaded, with a remedy, or ""."""
    obstacle = weight_source.obstacle(part.checkpoint)
    if not obstacle:
        return ""
    said = f"{table}.checkpoint = {shown(part.checkpoint, 200)} {obstacle}"
    if part.checkpoint.startswith(weight_source.HUB):
        return said  # with what to do
    return f"{said}; {part.published() or f'give {weight_source.SOURCES}'}"
