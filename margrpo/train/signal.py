"""How much of an update's gradient is signal, and how much it would be under other estimators."""

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.components.estimator import MultiTrajectory, RaoBlackwell, Single
from margrpo.components.penalty import NoPenalty
from margrpo.contracts import Estimator
from margrpo.declare import record
from margrpo.maths import noise
from margrpo.maths.signal import Moments
from margrpo.records import Rollout
from margrpo.train import portions
from margrpo.train.assemble import Session, recording_of, virtual_steps
from margrpo.train.judge import judge
from margrpo.train.learn import Tally, backward
from margrpo.train.parts import Method
from margrpo.train.roll_out import roll_out

OWN = "own"
FEW, MANY = (1, 4), (1, 2, 4, 8)
"""Trajectories that are tried: in a run, and where it is asked for."""


@record
class Signal:
    """The moments of an estimator's gradients over the prompts of a step, and the seconds that they took."""

    moments: Moments
    seconds: float

    def joined(self, other: "Signal") -> "Signal":
        """Over the prompts of both."""
        return Signal(self.moments.joined(other.moments), self.seconds + other.seconds)


def tried(trajectories: tuple[int, ...]) -> dict[str, Estimator]:
    """The estimators that are compared, by name."""
    kinds = {"multi_trajectory": MultiTrajectory, "rao_blackwell": RaoBlackwell}
    several = {f"{name}_{k}": kind(trajectories=k) for name, kind in kinds.items() for k in trajectories}
    return {"single": Single(), **several}


def signals(session: Session, step: int, trajectories: tuple[int, ...] = FEW) -> dict[str, Signal]:
    """The recipe's own estimator and others on the prompts of a step, drawn afresh; each prompt is a gradient.

    Selection, weighting and replay are the recipe's; the penalty is left out. Nothing of the run is changed.
    """
    recipe, key = session.recipe, (session.recipe.run.seed, "signal", step)
    estimators: Mapping[str, Estimator] = {OWN: recipe.estimator, **tried(trajectories)}
    recording = recording_of(recipe, noise.generator((*key, "timesteps")))
    needs = recipe.selector.needs()
    for each in estimators.values():
        needs = needs | each.needs()
    recording = replace(recording, virtual=virtual_steps(recording.steps, needs), trajectories=needs.trajectories)
    recording = replace(recording, usable=None)
    prompts = recipe.prompts.draw(step, recipe.run.seed).to(session.pipeline.device)
    empty = torch.zeros(sum(value.numel() for _, value in session.parameters), device=session.pipeline.device)
    found = {name: Signal(Moments.none(empty), 0.0) for name in estimators}
    for place in range(recipe.prompts.prompts):
        mine = portions.images(prompts, range(place, place + 1), recipe.prompts.group)
        rollout = roll_out(session.pipeline, mine, key, recording)
        advantages = judge(session.jury, recipe.advantage, rollout).advantages
        for name, estimator in estimators.items():
            clock, method = perf_counter(), alone(session, estimator=estimator)
            sums = found[name].moments + gradient(session, method, rollout, advantages)
            found[name] = Signal(sums, found[name].seconds + perf_counter() - clock)
    return found


def figures(session: Session, step: int) -> dict[str, float]:
    """What a run writes of them."""
    clock = perf_counter()
    ratios = {f"signal_to_noise/{name}": each.moments.ratio for name, each in signals(session, step).items()}
    return {**ratios, "seconds/signal": perf_counter() - clock}


def alone(session: Session, **parts: object) -> Method:
    """The recipe's method with some parts changed, of this process alone, and without a penalty."""
    return replace(session.method, leash=NoPenalty().build(session.model), total=list, **parts)  # type: ignore[arg-type]


def gradient(session: Session, method: Method, rollout: Rollout, advantages: Float[Tensor, "b"]) -> Float[Tensor, "p"]:
    """The gradient by all trainable parameters under a method; their own are empty afterwards."""
    for _, value in session.parameters:
        value.grad = None
    backward(session.pipeline, method, rollout, advantages, Tally())
    parts = [torch.zeros_like(value) if value.grad is None else value.grad for _, value in session.parameters]
    for _, value in session.parameters:
        value.grad = None
    return torch.cat([one.flatten() for one in parts])
