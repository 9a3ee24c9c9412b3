"""`margrpo train` and `margrpo resume`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, NoReturn

import typer

from margrpo import run_folder
from margrpo.cli.arguments import Out, RecipeOrRun, Sets, loadable, recipe_of, training, with_seed
from margrpo.cli.exits import INTERRUPTED, REFUSED, STOPPED
from margrpo.cli.signals import Stop, seconds, stopping
from margrpo.cli.terminal import facts, out, tell
from margrpo.cli.threads import settle_threads
from margrpo.components.tracker.console import duration
from margrpo.distributed import torchrun
from margrpo.errors import MargrpoError, RunError
from margrpo.recipe import Recipe

STOPPING = "stopping after this step; a second signal, or Ctrl-C again, stops at once"
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-change",
        metavar="A.B",
        help="Let the recipe differ from the run's in this key or table; may be repeated.",
        show_default=False,
    ),
]
StopAfter = Annotated[
    str | None,
    typer.Option(
        "--stop-after",
        metavar="TIME",
        help="Stop after the step in which so much time has passed: 90s, 55m, 1h30m.",
        show_default=False,
    ),
]


def train(
    recipe: RecipeOrRun,
    sets: Sets = None,
    folder: Out = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Short for --set run.seed=N.")] = None,
    stop_after: StopAfter = None,
    allowed: Allowed = None,
) -> None:
    """Tune a policy by reinforcement learning, or go on with the run in the folder.

    The recipe is checked in full before anything is loaded. Ctrl-C, SIGTERM and SIGUSR1 stop after the current step,
    with a checkpoint.
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
        bool, typer.Option("--verify", help="Do a recorded step again first, and compare its figures bit for bit.")
    ] = False,
) -> None:
    """Go on with a run from its newest checkpoint, and end as if it had never stopped."""
    if not run.is_dir():
        raise RunError(f"{run}: is no folder; give the folder of a run, or begin one with `margrpo train`")
    checked = ready(recipe_of(run), sets)
    run_in(checked, run, stop_after=stop_after, allowed=allowed or (), verify=verify)


def ready(source: Path, sets: list[str] | None) -> Recipe:
    """A recipe that trains, with its weights there, for as many processes as there are; one says what is wrong."""
    try:
        recipe = loadable(training(source, sets), source)
        recipe.parallel.require(torchrun.count())
    except MargrpoError:
        if torchrun.is_first():
            raise
        raise typer.Exit(REFUSED) from None
    return recipe


def next_folder(source: Path) -> Path:
    """The folder of a new run of this recipe."""
    from margrpo.train.run.folder import next_free

    if torchrun.count() > 1:
        raise RunError("torchrun needs --out DIR: all processes write one run, and after a restart they must find it")
    return next_free(source.stem)


def run_in(
    recipe: Recipe, folder: Path, *, stop_after: str | None, allowed: Sequence[str], verify: bool = False
) -> None:
    """Train into the folder, and tell how it went."""
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
    """Say where a stopped run stands and end."""
    newest = run_folder.newest_checkpoint(folder)
    if not (folder / "recipe.toml").exists():
        tell(f"{what} before the run had begun")
    else:
        where = f"step {newest[0] if newest else 0} of {recipe.run.steps}"
        tell(f"{what}; the run can go on from {where}: margrpo resume {quote(str(folder))}")
    raise typer.Exit(INTERRUPTED if stop.by_hand else STOPPED)


def tell_summary(summary: Mapping[str, Any], recipe: Recipe, folder: Path) -> None:
    """The held-out score before and after, and where everything is."""
    if not torchrun.is_first():
        return
    score, took = summary["held_out"], duration(summary["seconds"])
    interval = "{:+.3f} to {:+.3f}".format(*score["ci95"])
    out().print(f"\n[bold]{summary['steps']} steps in {took}[/bold]")
    facts(
        [
            ("held-out score", f"{score['before']:.3f} before, {score['after']:.3f} after"),
            ("difference", f"{score['difference']:+.3f}, 95 % interval {interval}, {score['prompts']} prompts"),
            ("summary", folder / "summary.json"),
            ("pictures", folder / "images" / "before_after.png"),
            ("weights", run_folder.final_weights(folder)),
        ]
    )
