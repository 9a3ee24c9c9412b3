"""`margrpo sample`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import attrs
import typer

from margrpo.cli import run_files
from margrpo.cli.given import RecipeOrRun, Sets, recipe_of, sound, with_weights
from margrpo.cli.terminal import err, facts
from margrpo.cli.threads import settle_threads
from margrpo.errors import RunError
from margrpo.recipe import Pretraining, Recipe
from margrpo.records import Prompts

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 8
T = TypeVar("T")


def sample(  # six options are six things that a person may want of a picture
    recipe: RecipeOrRun,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="What to draw, may be repeated; unless given, held-out prompts.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(metavar="N", min=1, help="Images of each --prompt, or how many held-out prompts.")
    ] = COLUMNS,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The seed of every draw.")] = 0,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Weights to use; unless given, the recipe's or the run's.", show_default=False
        ),
    ] = None,
    to: Annotated[Path, typer.Option("--out", metavar="PNG", help="The picture to write.")] = Path("sample.png"),
    sets: Sets = None,
) -> None:
    """Draw pictures with a recipe's policy, or with that of a run."""
    source = recipe_of(recipe)
    if weights is None and recipe.is_dir():
        weights = run_files.newest_weights(recipe)
    checked = with_codec_of(weights, sound(source, with_weights(sets, weights) if weights else sets))
    if to.suffix.lower() != ".png" or not to.parent.is_dir():
        raise RunError(f"--out {to}: must be a file that ends in .png, in a folder that exists")
    wanted = asked_for(prompts, count) if prompts else held_out(checked, count)
    from margrpo.pictures import save_grid

    with err().status(f"drawing {len(wanted)} pictures"):
        save_grid(to, drawn(checked, wanted, seed), wanted.text, columns=min(COLUMNS, count) if prompts else COLUMNS)
    facts([("prompts", f"{len(set(wanted.text))}"), ("weights", checked.policy.weights), ("picture", to)])


def with_codec_of(weights: Path | None, recipe: Recipe | Pretraining) -> Recipe | Pretraining:
    """The recipe with the codec of a weights file, where the file holds one, as those of a run do."""
    if weights is None or not attrs.has(type(recipe.codec)) or not hasattr(recipe.codec, "weights"):
        return recipe
    codec = evolved(recipe.codec, weights=str(weights)) if has_codec(weights) else recipe.codec
    return evolved(recipe, codec=codec)


def evolved(component: T, **changes: Any) -> T:
    """A component with some settings changed, which mypy does not know to be an attrs class."""
    made: T = attrs.evolve(component, **changes)  # type: ignore[misc]
    return made


def has_codec(weights: Path) -> bool:
    """Whether a safetensors file holds a tensor named codec.*."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return any(name.startswith("codec.") for name in file.keys())  # noqa: SIM118  # it is no mapping
    except SafetensorError as error:
        raise RunError(f"{weights}: is no whole safetensors file ({error}); give another with --weights") from None


def asked_for(prompts: list[str], count: int) -> Prompts:
    """Each prompt `count` times; one that is a whole number names a class too."""
    from margrpo.maths.dealing import NO_LABEL, Prompt, grouped

    return grouped([Prompt(text, int(text) if text.isdecimal() else NO_LABEL) for text in prompts], count)


def held_out(recipe: Recipe | Pretraining, count: int) -> Prompts:
    """The first of the held-out prompts."""
    return recipe.prompts.held_out().part(slice(count))


def drawn(recipe: Recipe | Pretraining, prompts: Prompts, seed: int) -> "Tensor":
    """One image for each prompt, a batch at a time."""
    import torch

    from margrpo.train.assemble import pipeline_of
    from margrpo.train.held_out import BATCH
    from margrpo.train.roll_out import roll_out

    settle_threads()
    pipeline = pipeline_of(recipe)
    prompts = prompts.to(pipeline.device)
    batches = [prompts.part(slice(start, start + BATCH)) for start in range(0, len(prompts), BATCH)]
    return torch.cat([roll_out(pipeline, batch, (seed, "sample")).images for batch in batches])
