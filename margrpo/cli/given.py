"""What is given on the command line: the recipe, the values set on top, and a run's folder in place of a recipe."""

import json
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from margrpo.errors import RecipeError, RunError
from margrpo.recipe import Pretraining, Recipe, load
from margrpo.recipe.plan import check_geometry
from margrpo.recipe.presence import check_presence

AnyRecipe = TypeVar("AnyRecipe", Recipe, Pretraining, Recipe | Pretraining)
RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).", show_default=False)]
RecipeOrRun = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe file, or the folder of a run.", show_default=False)
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="A.B=VALUE", help="Change a value of the recipe; may be repeated.", show_default=False
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="The run's folder; runs/RECIPE-1, or the next free number.", show_default=False
    ),
]


def sound(path: Path, sets: list[str] | None, *, to_draw: bool = False) -> Recipe | Pretraining:
    """The recipe, checked in full, or as far as drawing needs it; imports no torch."""
    recipe = load(path, sets or [], to_draw=to_draw)
    check_geometry(recipe, source=str(path))
    return recipe


def loadable(recipe: AnyRecipe, source: Path) -> AnyRecipe:
    """The recipe, once the files of weights that it names are there; imports no torch."""
    check_presence(recipe, source=str(source))
    return recipe


def training(path: Path, sets: list[str] | None) -> Recipe:
    """A recipe that trains, or a `RecipeError`."""
    recipe = sound(path, sets)
    if isinstance(recipe, Pretraining):
        raise RecipeError(str(path), ["has a [dataset], so it is a recipe for pre-training: use `margrpo pretrain`"])
    return recipe


def pretraining(path: Path, sets: list[str] | None) -> Pretraining:
    """A recipe that pre-trains, or a `RecipeError`."""
    recipe = sound(path, sets)
    if isinstance(recipe, Recipe):
        raise RecipeError(str(path), ["has no [dataset], so it is no recipe for pre-training: use `margrpo train`"])
    return recipe


def recipe_of(given: Path) -> Path:
    """The recipe file, which a run's folder holds as recipe.toml."""
    if not given.is_dir():
        return given
    if not (given / "recipe.toml").is_file():
        raise RunError(f"{given}: is a folder without a recipe.toml; give a recipe file or the folder of a run")
    return given / "recipe.toml"


def with_seed(sets: list[str] | None, seed: int | None) -> list[str]:
    """The sets, and last the one that `--seed` is short for."""
    return [*(sets or []), *([] if seed is None else [f"run.seed={seed}"])]


def with_weights(sets: list[str] | None, weights: str) -> list[str]:
    """The sets with the policy's file of weights first, so that one given by hand wins."""
    return [f"policy.checkpoint={json.dumps(weights)}", *(sets or [])]
