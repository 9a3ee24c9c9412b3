"""`margrpo sample`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from margrpo.cli.arguments import (
    RecipeOrRun,
    Sets,
    loadable,
    recipe_of,
    refuse_unwritable,
    sound,
    weights_of,
    with_weights,
    with_weights_of,
)
from margrpo.cli.terminal import err, facts
from margrpo.cli.threads import settle_threads
from margrpo.contracts import NamesClasses
from margrpo.errors import DataError
from margrpo.recipe import Pretraining, Recipe
from margrpo.records import Prompts
from margrpo.run_folder import RunFolder

if TYPE_CHECKING:
    from torch import Tensor

    from margrpo.records import Prompt

COLUMNS = 8
MOST = 4096
"""Images of one prompt, at most: more make a picture too large to open."""
TOKENS_AT_ONCE = 4096
"""Tokens drawn at once, so that memory does not grow with the number of images: 16 images of a published MAR."""


def sample(  # each option is a choice of its own
    recipe: RecipeOrRun,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="TEXT",
            help="Text to draw; may be repeated. Default: held-out prompts.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="CLASS", help="Class to draw, by label or name; may be repeated.", show_default=False
        ),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=MOST, help="Images of each --prompt and --label; of held-out prompts, in all."
        ),
    ] = COLUMNS,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The seed of every draw.")] = 0,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Weights to draw with. Default: the recipe's, or the run's newest.", show_default=False
        ),
    ] = None,
    to: Annotated[Path, typer.Option("--out", metavar="PNG", help="The PNG file to write.")] = Path("sample.png"),
    sets: Sets = None,
) -> None:
    """Draw images with the policy of a recipe or of a run, and write them into one PNG file.

    Example: margrpo sample runs/quickstart-1 --prompt "a red circle" --count 8
    """
    source = recipe_of(recipe)
    if weights is None and recipe.is_dir():
        weights = str(RunFolder(recipe).newest_weights())
    sets = with_weights(sets, weights) if weights else sets
    checked = with_weights_of(weights, sound(source, sets, to_draw=True))
    loadable(checked, source)
    refuse_unwritable(to, ".png", f"--out {to}")
    wanted = wanted_prompts(checked, prompts or (), labels or (), count=count)
    from margrpo.pictures.grid import save_grid

    save_grid(to, drawn(checked, wanted, seed), wanted.text, columns=min(COLUMNS, count))
    facts([("prompts", f"{len(set(wanted.text))}"), ("weights", weights_of(checked.policy)), ("picture", to)])


def drawn(recipe: Recipe | Pretraining, prompts: Prompts, seed: int) -> "Tensor":
    """One image for each prompt, on the CPU, drawn in batches; a terminal shows the progress."""
    import torch

    from margrpo.train.assemble import pipeline_of
    from margrpo.train.rollout.roll_out import roll_out

    settle_threads()
    with err().status("loading the policy"):
        pipeline = pipeline_of(recipe)
    prompts, size = prompts.to(pipeline.device), max(1, TOKENS_AT_ONCE // pipeline.model.tokens)
    batches = [prompts.part(slice(start, start + size)) for start in range(0, len(prompts), size)]
    with stepping(f"drawing {len(prompts)} images", len(batches) * pipeline.unmasking.steps) as step:
        return torch.cat([roll_out(pipeline, each, (seed, "sample"), progress=step).images.cpu() for each in batches])


@contextmanager
def stepping(what: str, steps: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over `steps` AR steps, which each call advances by one; only a terminal shows it."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("AR steps"))
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with bar:
        task = bar.add_task(what, total=steps)
        yield lambda taken, of: bar.advance(task)


def wanted_prompts(
    recipe: Recipe | Pretraining, texts: Sequence[str], classes: Sequence[str], *, count: int
) -> Prompts:
    """Each text and then each class `count` times; where neither is given, the first `count` held-out prompts."""
    from margrpo.records import grouped

    if not texts and not classes:
        return recipe.prompts.held_out().part(slice(count))
    found = [*(of_text(recipe, text) for text in texts), *(of_class(recipe, which) for which in classes)]
    for prompt in found:
        refuse_label(recipe, prompt)
    return grouped(found, count)


def of_text(recipe: Recipe | Pretraining, text: str) -> "Prompt":
    """The prompt of a text; where the policy draws classes, a whole number is a label."""
    from margrpo.records import Prompt

    return of_class(recipe, text) if recipe.policy.classes() is not None and text.isdecimal() else Prompt(text)


def of_class(recipe: Recipe | Pretraining, which: str) -> "Prompt":
    """The prompt of a class, by its label, or by its name where the recipe's prompts name classes."""
    from margrpo.records import Prompt

    if recipe.policy.classes() is None:
        raise DataError(f"--label {which}: the policy draws texts, not classes; give --prompt")
    number = int(which) if which.isdecimal() else None
    if isinstance(recipe.prompts, NamesClasses):
        return recipe.prompts.of_class(which if number is None else number)
    if number is None:
        raise DataError(f"--label {which}: the recipe's prompts do not name classes; give the label, a number")
    return Prompt(f"class {number}", number)


def refuse_label(recipe: Recipe | Pretraining, prompt: "Prompt") -> None:
    """Raise `DataError` where the policy draws classes and the prompt is not one of its classes."""
    classes = recipe.policy.classes()
    if classes is None or 0 <= prompt.label < classes:
        return
    what = (
        f"--prompt {prompt.text!r} does not name a class" if prompt.label < 0 else f"class {prompt.label} is not there"
    )
    raise DataError(f"{what}: the policy draws classes, 0 to {classes - 1}; give one with --label")
