"""The loop of `margrpo train`: every step draws images, judges them and learns from them."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from margrpo.recipe import Recipe
from margrpo.train.begin import begin
from margrpo.train.step import Step
from margrpo.train.training_run import TrainingRun


def train(
    recipe: Recipe,
    folder: Path,
    *,
    stopped: Callable[[], bool] = lambda: False,
    allowed: Iterable[str] = (),
    verify: bool = False,
) -> dict[str, Any] | None:
    """Run a recipe into `folder`, or resume its run; returns the summary, or None if `stopped` ended the run early.

    A run goes on from its newest sound checkpoint. The recipe must be the run's own, except for the `allowed` keys.
    With `verify` a recorded step is repeated first, and must give the recorded figures.
    """
    with ExitStack() as stack:
        run = begin(recipe, folder, stack, allowed=allowed, verify=verify)
        return loop(run, stopped) if isinstance(run, TrainingRun) else run


def loop(run: TrainingRun, stopped: Callable[[], bool]) -> dict[str, Any] | None:
    """Take all remaining steps; returns the summary, or None if `stopped` ended the run early."""
    run.measure_before()
    for step in run.remaining_steps():
        with Step(run.session, step) as now:
            rollout = now.collect()  # AR steps, chains, images
            if now.is_finite:
                if step == run.start:
                    run.check_parity(step, rollout)
                verdict = now.judge(rollout)  # rewards b r → advantages b
                now.learn(rollout, verdict)  # streamed backward, optimizer step
        if run.end_step(step, now.outcome(rollout), stopped):
            return None
    return run.finish()
