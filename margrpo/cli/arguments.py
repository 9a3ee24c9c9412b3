"""What is given on the command line: the recipe, the values set on top, and a run's folder in place of a recipe."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import attrs
import typer

from margrpo.contracts import Policy
from margrpo.errors import RecipeError, RunError
from margrpo.recipe import Pretraining, Recipe, load
from margrpo.recipe.fit import check_geometry
from margrpo.recipe.presence import check_presence
from margrpo.weights import source

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


T = TypeVar("T")


def with_weights_of(weights: str | None, recipe: AnyRecipe) -> AnyRecipe:
    """The recipe with a file's policy, and its codec where it holds one, as those of a run do."""
    if weights is None:
        return recipe
    policy = recipe.policy
    if policy.checkpoint == weights:
        policy = evolved(policy, weights="ema" if policy.weights == "random" else policy.weights, sha256="")
    codec = (
        evolved(recipe.codec, checkpoint=weights, weights="model", sha256="") if has_codec(weights) else recipe.codec
    )
    return evolved(recipe, policy=policy, codec=codec)


def weights_of(policy: Policy) -> str:
    """What the policy's weights are, in words."""
    return "random" if policy.weights == "random" else policy.checkpoint


def evolved(component: T, **changes: Any) -> T:
    """A component with some settings changed, which mypy does not know to be an attrs class."""
    made: T = attrs.evolve(component, **changes)  # type: ignore[misc]
    return made


def has_codec(weights: str) -> bool:
    """Whether a file is here, is safetensors and holds a tensor named codec.*; imports no torch."""
    from safetensors import SafetensorError, safe_open

    path = source.located(weights)
    if path is None:
        return False
    try:
        with safe_open(path, framework="numpy") as file:
            return any(name.startswith("codec.") for name in file.keys())  # noqa: SIM118  # it is no mapping
    except SafetensorError:
        return False


def refuse_unwritable(to: Path, ending: str, name: str) -> None:
    """Raise `RunError` where the file could not be written, so that nothing is made in vain; nothing is left behind."""
    try:
        if to.suffix.lower() != ending or not to.parent.is_dir():
            raise RunError(f"{name}: must be a file that ends in {ending}, in a folder that exists")
        was_there = to.exists()
        to.open("ab").close()
        if not was_there:
            to.unlink()
    except OSError as error:
        raise RunError(f"{name}: cannot be written ({error.strerror}); give another file") from None
