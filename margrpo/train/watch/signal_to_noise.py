"""The signal-to-noise ratio of an update's gradient, for the recipe's estimator and others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Estimator
from margrpo.declare import record
from margrpo.distributed.single import SingleProcess
from margrpo.maths import noise
from margrpo.maths.signal import Moments
from margrpo.nets.regularizer import no_penalty
from margrpo.plugin.registry import registry
from margrpo.records import Rollout
from margrpo.train.assemble import Session, recording_of, virtual_steps
from margrpo.train.rollout import microbatches
from margrpo.train.rollout.roll_out import roll_out
from margrpo.train.run.run_state import stateful, unchanged
from margrpo.train.update.backward import backward
from margrpo.train.update.method import Method
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.verdict.judge import judge
from margrpo.train.verdict.scorers import numbered

OWN = "own"


@record
class Signal:
    """The moments of an estimator's gradients over the prompts of a step, and the seconds that they took."""

    moments: Moments
    seconds: float

    def joined(self, other: "Signal") -> "Signal":
        """The signal over the prompts of `self` and `other` together."""
        return Signal(self.moments.joined(other.moments), self.seconds + other.seconds)


def named(estimators: Sequence[Estimator]) -> dict[str, Estimator]:
    """Each estimator by its name in the registry, with its number of trajectories where it has chains of its own."""
    names = []
    for each in estimators:
        trajectories = each.needs().trajectories
        names.append(registry().short_name("estimator", each) + (f"_{trajectories}" if trajectories else ""))
    return dict(zip(numbered(names), estimators, strict=True))


def signals(session: Session, step: int) -> dict[str, Signal]:
    """The signal of the recipe's own estimator and of `run.signal_estimators` on the prompts of a step, drawn afresh.

    Each prompt gives a gradient. Selection, weighting and replay are the recipe's; the penalty is left out. Nothing of
    the run is changed.
    """
    recipe, key = session.recipe, (session.recipe.run.seed, "signal", step)
    estimators: Mapping[str, Estimator] = {OWN: session.method.estimator, **named(recipe.run.signal_estimators)}
    recording = recording_of(session, noise.generator((*key, "timesteps")))
    needs = session.method.selector.needs()
    for each in estimators.values():
        needs = needs | each.needs()
    recording = replace(recording, virtual=virtual_steps(recording.steps, needs), trajectories=needs.trajectories)
    recording = replace(recording, usable=None)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    empty = torch.zeros(sum(value.numel() for _, value in session.parameters), device=session.pipeline.device)
    found = {name: Signal(Moments.none(empty), 0.0) for name in estimators}
    for place in range(recipe.prompts.prompts):
        mine = microbatches.images(prompts, range(place, place + 1), recipe.prompts.group)
        rollout = roll_out(session.pipeline, mine, key, recording)
        with unchanged(stateful(session)):
            advantages = judge(session.scorers, recipe.advantage, rollout).advantages
        for name, estimator in estimators.items():
            clock, method = perf_counter(), method_of_one_process(session, estimator=estimator)
            sums = found[name].moments + gradient(session, method, rollout, advantages)
            found[name] = Signal(sums, found[name].seconds + perf_counter() - clock)
    return found


def figures(session: Session, step: int) -> dict[str, float]:
    """The figures of a run: the ratio of each estimator, and the seconds."""
    clock = perf_counter()
    ratios = {f"signal_to_noise/{name}": each.moments.ratio for name, each in signals(session, step).items()}
    return {**ratios, "seconds/signal": perf_counter() - clock}


def method_of_one_process(session: Session, **parts: object) -> Method:
    """The recipe's method with some parts changed, of this process alone, and without a penalty."""
    return replace(session.method, regularizer=no_penalty(), processes=SingleProcess(), **parts)  # type: ignore[arg-type]


def gradient(session: Session, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"]) -> Float[Tensor, "p"]:
    """The gradient by all trainable parameters under a method; their own are empty afterwards."""
    for _, value in session.parameters:
        value.grad = None
    backward(session.pipeline, method, rollout, advantages, UpdateStats())
    parts = [torch.zeros_like(value) if value.grad is None else value.grad for _, value in session.parameters]
    for _, value in session.parameters:
        value.grad = None
    return torch.cat([one.flatten() for one in parts])
