"""`margrpo pretrain`."""

import typer

from margrpo.cli.arguments import Out, RecipeFile, Sets, loadable, pretraining
from margrpo.cli.commands.train import STOPPING, next_folder
from margrpo.cli.exits import INTERRUPTED
from margrpo.cli.signals import stopping
from margrpo.cli.terminal import facts, out, tell
from margrpo.cli.threads import settle_threads
from margrpo.components.tracker.console import duration
from margrpo.run_folder import RunFolder


def pretrain(recipe: RecipeFile, sets: Sets = None, folder: Out = None) -> None:
    """Train a policy from images and their prompts, before reinforcement learning.

    Example: margrpo pretrain recipes/shapes_base.toml

    Ctrl-C stops after the current step and keeps the weights so far. A stopped pre-training cannot be resumed.
    """
    checked = loadable(pretraining(recipe, sets), recipe)
    folder = folder or next_folder(recipe)
    from margrpo.pretrain.loop import run

    files = RunFolder(folder)
    settle_threads()
    with stopping(STOPPING) as stopped:
        summary = run(checked, folder, stopped=stopped)
    if summary is None:
        tell(f"stopped; the weights so far are in {files.final_weights}")
        raise typer.Exit(INTERRUPTED)
    score = summary["held_out"]
    out().print(f"\n[bold]{summary['steps']} steps in {duration(summary['seconds'])}[/bold]")
    facts(
        [
            ("held-out score", f"{score['after']:.3f} on {score['prompts']} prompts"),
            ("summary", files.summary),
            ("weights", files.final_weights),
        ]
    )
