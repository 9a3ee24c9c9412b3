"""`margrpo sample`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from margrpo.cli import run_files
from margrpo.cli.asked import asked
from margrpo.cli.given import RecipeOrRun, Sets, loadable, recipe_of, sound, with_weights
from margrpo.cli.own_weights import weights_of, with_weights_of
from margrpo.cli.terminal import err, facts
from margrpo.cli.threads import settle_threads
from margrpo.cli.writable import refuse_unwritable
from margrpo.recipe import Pretraining, Recipe
from margrpo.records import Prompts

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 8
MOST = 4096
"""Pictures of one prompt; more than fit on a sheet that somebody would open."""
TOKENS_AT_ONCE = 4096
"""Tokens drawn at once, so that memory does not grow with the number of pictures: 16 pictures of a published MAR."""


def sample(  # seven options are seven things that a person may want of a picture
    recipe: RecipeOrRun,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="What to draw, may be repeated; unless --prompt or --label is given, held-out prompts.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="CLASS", help="A class to draw, by label or name; may be repeated.", show_default=False
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=MOST, help="Images of each --prompt and --label, or of held-out prompts in all."
        ),
    ] = COLUMNS,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The seed of every draw.")] = 0,
    weights: Annotated[
        str | None,
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
        weights = str(run_files.newest_weights(recipe))
    sets = with_weights(sets, weights) if weights else sets
    checked = with_weights_of(weights, sound(source, sets, to_draw=True))
    loadable(checked, source)
    refuse_unwritable(to, ".png", f"--out {to}")
    wanted = asked(checked, prompts or (), labels or (), count=count)
    from margrpo.pictures import save_grid

    save_grid(to, drawn(checked, wanted, seed), wanted.text, columns=min(COLUMNS, count))
    facts([("prompts", f"{len(set(wanted.text))}"), ("weights", weights_of(checked.policy)), ("picture", to)])


def drawn(recipe: Recipe | Pretraining, prompts: Prompts, seed: int) -> "Tensor":
    """One image for each prompt, on the CPU, a batch at a time; a terminal sees how far it is."""
    import torch

    from margrpo.train.assemble import pipeline_of
    from margrpo.train.roll_out import roll_out

    settle_threads()
    with err().status("loading the policy"):
        pipeline = pipeline_of(recipe)
    prompts, size = prompts.to(pipeline.device), max(1, TOKENS_AT_ONCE // pipeline.model.tokens)
    batches = [prompts.part(slice(start, start + size)) for start in range(0, len(prompts), size)]
    with stepping(f"drawing {len(prompts)} pictures", len(batches) * pipeline.unmasking.steps) as step:
        return torch.cat([roll_out(pipeline, each, (seed, "sample"), progress=step).images.cpu() for each in batches])


@contextmanager
def stepping(what: str, steps: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over so many AR steps, which goes on by one at each call; only a terminal sees it, and only meanwhile."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("AR steps"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task(what, total=steps)
        yield lambda taken, of: bar.advance(task)
