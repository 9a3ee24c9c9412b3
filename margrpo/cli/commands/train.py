"""`margrpo train` and `margrpo resume`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, NoReturn

import typer

from margrpo.cli.arguments import Out, RecipeOrRun, Sets, loadable, recipe_of, training, with_seed
from margrpo.cli.exits import INTERRUPTED, REFUSED, STOPPED
from margrpo.cli.signals import Stop, seconds, stopping
from margrpo.cli.terminal import facts, out, tell
from margrpo.cli.threads import settle_threads
from margrpo.components.tracker.console import duration
from margrpo.distributed import torchrun
from margrpo.errors import MargrpoError, RunError
from margrpo.recipe import Recipe
from margrpo.run_folder import RunFolder

STOPPING = "stopping after this step; a second signal, or Ctrl-C again, stops at once"
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-change",
        metavar="A.B",
        help="Let this key or table of the recipe differ from the run's; may be repeated.",
        show_default=False,
    ),
]
StopAfter = Annotated[
    str | None,
    typer.Option(
        "--stop-after",
        metavar="TIME",
        help="Stop after the step in which this time has passed: 90s, 55m, 1h30m.",
        show_default=False,
    ),
]


def train(
    recipe: RecipeOrRun,
    sets: Sets = None,
    folder: Out = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same as --set run.seed=N.")] = None,
    stop_after: StopAfter = None,
    allowed: Allowed = None,
) -> None:
    """Tune a policy by reinforcement learning, or continue the run in a folder.

    Example: margrpo train recipes/quickstart.toml

    The recipe is checked in full before weights are loaded. Ctrl-C, SIGTERM and SIGUSR1 stop the run after the current
    step and write a checkpoint.
    """
    source = recipe_of(recipe)
    checked = ready(source, with_seed(sets, seed))
    if folder is None and not recipe.is_dir():
        folder = next_folder(source)
    run_in(checked, folder or recipe, stop_after=stop_after, allowed=allowed or ())


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.", show_default=False)],
    sets: Sets = None,
    stop_after: StopAfter = None,
    allowed: Allowed = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Repeat a recorded step first, and compare its figures bit for bit.")
    ] = False,
) -> None:
    """Continue a run from its newest checkpoint, with the result of a run that was never stopped.

    Example: margrpo resume runs/quickstart-1
    """
    if not run.is_dir():
        raise RunError(f"{run}: is not a folder; give the folder of a run, or begin one with `margrpo train`")
    checked = ready(recipe_of(run), sets)
    run_in(checked, run, stop_after=stop_after, allowed=allowed or (), verify=verify)


def ready(source: Path, sets: list[str] | None) -> Recipe:
    """A recipe that can train here, with its weights and the number of processes checked; rank 0 reports errors."""
    try:
        recipe = loadable(training(source, sets), source)
        recipe.parallel.require(torchrun.count())
    except MargrpoError:
        if torchrun.is_first():
            raise
        raise typer.Exit(REFUSED) from None
    return recipe


def next_folder(source: Path) -> Path:
    """The folder of a new run of a recipe."""
    from margrpo.train.run.occupied import next_free

    if torchrun.count() > 1:
        raise RunError("torchrun needs --out DIR: all processes write one run, and after a restart they must find it")
    return next_free(source.stem)


def run_in(
    recipe: Recipe, folder: Path, *, stop_after: str | None, allowed: Sequence[str], verify: bool = False
) -> None:
    """Train into the folder, and report the result or how to continue."""
    after = None if stop_after is None else seconds(stop_after)
    from margrpo.train.loop import train as run

    settle_threads()
    summary = None
    with stopping(STOPPING, after) as stopped:
        try:
            summary = run(recipe, folder, stopped=stopped, allowed=allowed, verify=verify)
        except KeyboardInterrupt:
            tell_how_to_go_on(recipe, folder, "stopped at once", stopped)
    if summary is None:
        tell_how_to_go_on(recipe, folder, "stopped", stopped)
    tell_summary(summary, recipe, folder)


def tell_how_to_go_on(recipe: Recipe, folder: Path, what: str, stop: Stop) -> NoReturn:
    """Report where a stopped run stands, and exit."""
    newest = RunFolder(folder).newest_checkpoint()
    if not RunFolder(folder).recipe.exists():
        tell(f"{what} before the run had begun")
    else:
        where = f"step {newest[0] if newest else 0} of {recipe.run.steps}"
        tell(f"{what}; the run can go on from {where}: margrpo resume {quote(str(folder))}")
    raise typer.Exit(INTERRUPTED if stop.by_hand else STOPPED)


def tell_summary(summary: Mapping[str, Any], recipe: Recipe, folder: Path) -> None:
    """Print the held-out score before and after training, and where the results are."""
    if not torchrun.is_first():
        return
    files, score, took = RunFolder(folder), summary["held_out"], duration(summary["seconds"])
    interval = "{:+.3f} to {:+.3f}".format(*score["ci95"])
    out().print(f"\n[bold]{summary['steps']} steps in {took}[/bold]")
    facts(
        [
            ("held-out score", f"{score['before']:.3f} before, {score['after']:.3f} after"),
            ("difference", f"{score['difference']:+.3f}, 95 % interval {interval}, {score['prompts']} prompts"),
            ("summary", files.summary),
            ("pictures", files.before_after),
            ("weights", files.final_weights),
        ]
    )
