"""Arguments that commands share: a recipe or a run's folder, values set on top of it, and weights."""

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
from margrpo.recipe.structure import settings_of
from margrpo.run_folder import RunFolder
from margrpo.weights import source

AnyRecipe = TypeVar("AnyRecipe", Recipe, Pretraining, Recipe | Pretraining)
RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML).", show_default=False)]
RecipeOrRun = Annotated[
    Path, typer.Argument(metavar="RECIPE", help="A recipe file (TOML), or the folder of a run.", show_default=False)
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Set a value of the recipe; may be repeated.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="The run's folder; default: runs/RECIPE-N with the first free N.",
        show_default=False,
    ),
]


def sound(path: Path, sets: list[str] | None, *, to_draw: bool = False) -> Recipe | Pretraining:
    """The recipe, checked in full, or as far as drawing images needs it; imports no torch."""
    recipe = load(path, sets or [], to_draw=to_draw)
    check_geometry(recipe, source=str(path))
    return recipe


def loadable(recipe: AnyRecipe, source: Path) -> AnyRecipe:
    """The recipe, after a check that the files and packages it names are there; imports no torch."""
    check_presence(recipe, source=str(source))
    return recipe


def training(path: Path, sets: list[str] | None) -> Recipe:
    """The recipe of a training, or `RecipeError` where it is one of pre-training."""
    recipe = sound(path, sets)
    if isinstance(recipe, Pretraining):
        raise RecipeError(str(path), ["has a [dataset], so it is a recipe for pre-training: use `margrpo pretrain`"])
    return recipe


def pretraining(path: Path, sets: list[str] | None) -> Pretraining:
    """The recipe of a pre-training, or `RecipeError` where it is one of training."""
    recipe = sound(path, sets)
    if isinstance(recipe, Recipe):
        raise RecipeError(str(path), ["has no [dataset], so it is not a recipe for pre-training: use `margrpo train`"])
    return recipe


def recipe_of(given: Path) -> Path:
    """The recipe file, given directly or as the folder of a run."""
    if not given.is_dir():
        return given
    folder = RunFolder(given)
    folder.refuse_of_before()
    recipe = folder.recipe
    if not recipe.is_file():
        raise RunError(f"{given}: is a folder without a recipe.toml; give a recipe file or the folder of a run")
    return recipe


def with_seed(sets: list[str] | None, seed: int | None) -> list[str]:
    """`sets`, followed by the set of `run.seed` that `--seed` stands for."""
    return [*(sets or []), *([] if seed is None else [f"run.seed={seed}"])]


def with_weights(sets: list[str] | None, weights: str) -> list[str]:
    """`sets` after a set of the policy's weights, so that a checkpoint set by hand wins."""
    return [f"policy.checkpoint={json.dumps(weights)}", *(sets or [])]


T = TypeVar("T")


def with_weights_of(weights: str | None, recipe: AnyRecipe) -> AnyRecipe:
    """The recipe with the policy of a file, and with its codec where the file holds one."""
    if weights is None:
        return recipe
    policy = recipe.policy
    if policy.checkpoint == weights:
        policy = evolved(policy, weights=read_from_file(policy), sha256="")
    codec = (
        evolved(recipe.codec, checkpoint=weights, weights="model", sha256="") if has_codec(weights) else recipe.codec
    )
    return evolved(recipe, policy=policy, codec=codec)


def read_from_file(policy: Policy) -> str:
    """The setting `weights` with which a policy reads its file: its own, else the default, else "model"."""
    default = settings_of(type(policy))["weights"].default
    return policy.weights if policy.weights != "random" else default if default == "ema" else "model"


def weights_of(policy: Policy) -> str:
    """The source of a policy's weights, in words."""
    return "random" if policy.weights == "random" else policy.checkpoint


def evolved(component: T, **changes: Any) -> T:
    """A component with some settings changed."""
    made: T = attrs.evolve(component, **changes)  # type: ignore[misc]
    return made


def has_codec(weights: str) -> bool:
    """Whether a file is on this machine, is safetensors and holds a codec's tensors; imports no torch."""
    from safetensors import SafetensorError, safe_open

    path = source.located(weights)
    if path is None:
        return False
    try:
        with safe_open(path, framework="numpy") as file:
            return any(name.startswith("codec.") for name in file.keys())  # noqa: SIM118  # it is not a mapping
    except SafetensorError:
        return False


def refuse_unwritable(to: Path, ending: str, name: str) -> None:
    """Raise `RunError` where a file cannot be written, before any work is done; nothing is left behind."""
    try:
        if to.suffix.lower() != ending or not to.parent.is_dir():
            raise RunError(f"{name}: must be a file that ends in {ending}, in a folder that exists")
        was_there = to.exists()
        to.open("ab").close()
        if not was_there:
            to.unlink()
    except OSError as error:
        raise RunError(f"{name}: cannot be written ({error.strerror}); give another file") from None
