"""`margrpo evaluate`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from margrpo.cli.arguments import Sets, loadable, recipe_of, sound, weights_of, with_weights, with_weights_of
from margrpo.cli.terminal import err, facts, out
from margrpo.cli.threads import settle_threads
from margrpo.contracts import Suite
from margrpo.errors import RecipeError, RunError
from margrpo.recipe import Pretraining, Recipe
from margrpo.recipe.override import OverrideError, apply_overrides, parse_override
from margrpo.recipe.requirements import require_all
from margrpo.recipe.structure import component_of
from margrpo.run_folder import RunFolder

REPORT = "report.html"


def evaluate(  # each option is a choice of its own
    given: Annotated[
        Path | None,
        typer.Argument(metavar="RECIPE", help="A recipe file (TOML), or the folder of a run.", show_default=False),
    ] = None,
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="The suite, as in `margrpo components list --kind suite`.")
    ] = "shapes",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--with", metavar="A=VALUE", help="Set a setting of the suite; may be repeated.", show_default=False
        ),
    ] = None,
    images: Annotated[int, typer.Option(metavar="N", min=1, help="Images of each prompt.")] = 1,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The seed of every draw.")] = 0,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Weights to evaluate. Default: the recipe's, or the run's newest.", show_default=False
        ),
    ] = None,
    base: Annotated[
        bool, typer.Option("--base/--no-base", help="Compare with the recipe's own weights, from before training.")
    ] = True,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The new folder to write. Default: evaluations/NAME-SUITE.", show_default=False
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A B",
            help="Compare two folders of evaluations instead; their prompts must be equal.",
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
) -> None:
    """Draw a suite's prompts, score the images, and compare the weights before and after training.

    Example: margrpo evaluate runs/quickstart-1 --suite shapes

    Both weights draw each prompt with equal noise. Scores come for each category, with bootstrap intervals and a
    paired test.
    """
    if compare is not None:
        write_comparison(*compare, to)
        return
    if given is None:
        raise RunError("give a recipe or the folder of a run, or two evaluations with --compare A B")
    chosen = suite_of(suite, settings or [])
    require_all(chosen)
    policies = {who: loadable(recipe, given) for who, recipe in policies_of(given, weights, sets, base=base).items()}
    stem = recipe_of(given).parent.name if given.is_dir() else given.stem
    folder = fresh(to or Path("evaluations") / f"{stem}-{suite}")
    examined_into(folder, chosen, suite, policies, images=images, seed=seed)


def suite_of(name: str, settings: list[str]) -> Suite:
    """The suite with its settings, or `RecipeError` where a setting is wrong."""
    table: dict[str, Any] = {"use": name}
    try:
        apply_overrides(table, [parse_override(text) for text in settings])
    except OverrideError as error:
        raise RecipeError(f"suite {name}", [str(error)]) from None
    made: Suite = component_of(table, "suite", source=f"suite {name}")
    return made


def policies_of(
    given: Path, weights: str | None, sets: list[str] | None, *, base: bool
) -> dict[str, Recipe | Pretraining]:
    """The recipes to draw with: `base` before and `tuned` after training, or `policy` where there is only one."""
    source = recipe_of(given)
    before = sound(source, sets, to_draw=True)
    if weights is None and given.is_dir():
        weights = str(RunFolder(given).newest_weights())
    if weights is None:
        return {"policy": before}
    tuned = with_weights_of(weights, sound(source, with_weights(sets, weights), to_draw=True))
    return {"base": before, "tuned": tuned} if base else {"tuned": tuned}


def examined_into(
    folder: Path,
    suite: Suite,
    name: str,
    policies: Mapping[str, Recipe | Pretraining],
    *,
    images: int,
    seed: int,
) -> None:
    """Draw and score with each policy in turn, and write the result."""
    from margrpo.evaluate.result import result, write
    from margrpo.evaluate.suite import examine, scorers_of
    from margrpo.train.assemble import pipeline_of

    settle_threads()
    found = {}
    for who, recipe in reversed(list(policies.items())):  # weights of training, which may not fit, are opened first
        with err().status(f"loading {who}"):
            pipeline = pipeline_of(recipe)
            scorers = scorers_of(suite, pipeline.device)
        with drawing(f"drawing with {who}") as progress:
            place = folder / "images" / who
            found[who] = examine(pipeline, suite, scorers, images=images, seed=seed, folder=place, progress=progress)
    found = {who: found[who] for who in policies}
    facts_of_all = {
        "suite": name,
        "prompts": len(suite.prompts()),
        "images": images,
        "seed": seed,
        "note": "",
        "shares": [reward.name for reward in scorers if (reward.traits.low, reward.traits.high) == (0, 1)],
        "weights": {who: weights_of(recipe.policy) for who, recipe in policies.items()},
    }
    whole = result(found, facts_of_all)
    write(folder, found, whole)
    show(whole, folder, dict.fromkeys(policies, folder))


def write_comparison(one: Path, other: Path, to: Path | None) -> None:
    """Compare two evaluations; the result is written into `to` where it is given, and printed otherwise."""
    import json

    from margrpo.evaluate.result import RESULT, WORDS, compared, words

    found = compared(one, other)
    if to is None:
        out().print(Markdown("\n".join(words(found))))
        return
    folder = fresh(to)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WORDS).write_text("\n".join(words(found)) + "\n", encoding="utf-8")
    (folder / RESULT).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    show(found, folder, {"first": one, "second": other})


def show(found: Mapping[str, Any], folder: Path, folders: Mapping[str, Path]) -> None:
    """Print a result, and write its page."""
    from margrpo.evaluate.result import RESULT, WORDS, words
    from margrpo.report.evaluation import page

    (folder / REPORT).write_text(page(found, folders), encoding="utf-8")
    out().print(Markdown("\n".join(words(found))))
    report = (folder / REPORT).absolute().as_uri()
    facts([("report", report), ("words", folder / WORDS), ("numbers", folder / RESULT)])


def fresh(folder: Path) -> Path:
    """A folder that can be made; a number is added to its name where the folder exists and is not empty."""
    from margrpo.train.run.occupied import check

    number, place = 1, folder
    while place.exists() and (not place.is_dir() or any(place.iterdir())):
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    check(place)
    return place


@contextmanager
def drawing(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the images; only a terminal shows it."""
    console = err()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
