"""`margrpo train`."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, NoReturn

import typer

from margrpo.cli import run_files
from margrpo.cli.given import Out, RecipeOrRun, Sets, loadable, recipe_of, training, with_seed
from margrpo.cli.stopping import stopping
from margrpo.cli.terminal import facts, out, tell
from margrpo.cli.threads import settle_threads
from margrpo.cli.trouble import INTERRUPTED
from margrpo.components.tracker.console import duration
from margrpo.errors import RunError
from margrpo.recipe import Recipe

STOPPING = "stopping after this step; press Ctrl-C again to stop at once"


def train(
    recipe: RecipeOrRun,
    sets: Sets = None,
    folder: Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")] = False,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Short for --set run.seed=N.")] = None,
) -> None:
    """Tune a policy by reinforcement learning.

    The recipe is checked in full before anything is loaded. Ctrl-C stops after the current step, with a checkpoint.
    """
    if resume and folder is None and recipe.is_file():
        raise RunError("--resume needs the run's folder: give it with --out, or in place of the recipe")
    source = recipe_of(recipe)
    checked = loadable(training(source, with_seed(sets, seed)), source)
    run_in(checked, folder or (recipe if recipe.is_dir() else next_folder(source)), resume=resume)


def next_folder(source: Path) -> Path:
    """The folder of a new run of this recipe."""
    from margrpo.train.folder import next_free

    return next_free(source.stem)


def run_in(recipe: Recipe, folder: Path, *, resume: bool) -> None:
    """Train into the folder, and tell how it went."""
    from margrpo.train.loop import train as run

    settle_threads()
    summary = None
    try:
        with stopping(STOPPING) as stopped:
            summary = run(recipe, folder, resume=resume, stopped=stopped)
    except KeyboardInterrupt:
        tell_how_to_go_on(recipe, folder, "stopped at once")
    if summary is None:
        tell_how_to_go_on(recipe, folder, "stopped")
    tell_summary(summary, recipe, folder)


def tell_how_to_go_on(recipe: Recipe, folder: Path, what: str) -> NoReturn:
    """Say where a stopped run stands and end."""
    newest = run_files.newest_checkpoint(folder)
    if not (folder / "recipe.toml").exists():
        tell(f"{what} before the run had begun")
    else:
        where = f"step {newest[0] if newest else 0} of {recipe.run.steps}"
        tell(f"{what}; the run can go on from {where}: margrpo train {quote(str(folder))} --resume")
    raise typer.Exit(INTERRUPTED)


def tell_summary(summary: Mapping[str, Any], recipe: Recipe, folder: Path) -> None:
    """The held-out score before and after, and where everything is."""
    score, seconds = summary["held_out"], duration(summary["seconds"])
    interval = "{:+.3f} to {:+.3f}".format(*score["ci95"])
    out().print(f"\n[bold]{summary['steps']} steps in {seconds}[/bold]")
    facts(
        [
            ("held-out score", f"{score['before']:.3f} before, {score['after']:.3f} after"),
            ("difference", f"{score['difference']:+.3f}, 95 % interval {interval}, {score['prompts']} prompts"),
            ("summary", folder / "summary.json"),
            ("pictures", folder / "images" / "before_after.png"),
            ("weights", run_files.final_weights(folder)),
        ]
    )
