"""Whether the files and packages that a recipe needs are on this machine; asks no network."""

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
"""What a smoke run needs of everything, by table."""


def check_presence(recipe: Recipe | Pretraining, *, source: str = "recipe") -> None:
    """Raise a `RecipeError` unless all that is loaded is there: what is missing, where, and what to do."""
    problems, hint = lacking(recipe)
    if problems:
        raise RecipeError(source, [*problems, *([hint] if hint else [])])


def lacking(recipe: Recipe | Pretraining) -> tuple[list[str], str]:
    """What is missing, and how to see the path work without where that is weights."""
    absent = {table: sentence for table, part in loaded(recipe) if (sentence := absence(table, part))}
    problems, hint = list(absent.values()), ""
    if absent:
        sets = [*(f"{table}.weights=random" for table in absent), *small(recipe)]
        hint = f"to see the path work with random weights, add {' '.join(f'--set {each}' for each in sets)}"
    return [*problems, *missing(recipe)], hint


def not_here(recipe: Recipe | Pretraining) -> list[str]:
    """The sources that are not on this machine yet, or cannot be told to be."""
    sources = dict.fromkeys(part.checkpoint for _, part in loaded(recipe))
    return [each for each in sources if weight_source.obstacle(each) or weight_source.located(each) is None]


def small(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Sets that make a run short, of those settings that the recipe's components have and that are larger."""
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
    """What keeps the part's file from being loaded and what to do about it, or nothing."""
    obstacle = weight_source.obstacle(part.checkpoint)
    if not obstacle:
        return ""
    said = f"{table}.checkpoint = {shown(part.checkpoint, 200)} {obstacle}"
    if part.checkpoint.startswith(weight_source.HUB):
        return said  # with what to do
    return f"{said}; {part.published() or f'give {weight_source.SOURCES}'}"
