"""The noise of the gradient under each estimator and weighting, for `margrpo variance`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Estimator, Weighting
from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.maths import noise
from margrpo.plugin.registry import registry
from margrpo.recipe import Recipe
from margrpo.recipe.by_name import component
from margrpo.records import Rollout
from margrpo.train.assemble import Session, assemble, recording_of
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.verdict.judge import judge
from margrpo.train.watch.signal_to_noise import Signal, gradient, method_of_one_process, signals

TRAJECTORIES = (1, 2, 4, 8)
COMPARED = ("multi_trajectory", "rao_blackwell")
"""Estimators that are compared on the same chains."""


@record
class Spread:
    """Statistics of R independent gradients: |mean|², the trace of their covariance, and R."""

    mean: Float[Tensor, "p"]
    variance: float
    replicates: int

    @property
    def signal_to_noise(self) -> float:
        """|E g|² / tr Cov g of one replicate, both unbiased, so that it can be negative by chance   (`noise_scale`)."""
        signal = float(self.mean.square().sum()) - self.variance / self.replicates
        return signal / self.variance


@record
class EstimatorComparison:
    """The spread of multi-trajectory expectation and of its Rao–Blackwellised form at one K, on equal chains."""

    trajectories: int
    plain: Spread
    expected: Spread

    @property
    def ratio(self) -> float:
        """The variance of Rao–Blackwell, divided by the variance of plain MTE."""
        return self.expected.variance / self.plain.variance

    @property
    def disagreement(self) -> float:
        """|difference of means| over its standard error if both were independent; about 1 or less if they agree."""
        error = (self.plain.variance + self.expected.variance) / self.plain.replicates
        return float((self.plain.mean - self.expected.mean).square().sum() / error) ** 0.5


def spread(gradients: Sequence[Float[Tensor, "p"]]) -> Spread:
    """Mean and total variance, unbiased, of gradients that were drawn independently."""
    stacked = torch.stack(list(gradients)).double()
    return Spread(stacked.mean(0), float(stacked.var(0).sum()), len(stacked))


def rollout_of(
    session: Session, step: int, recording: Recording, *, images: int | None = None
) -> tuple[Rollout, Float[Tensor, "b"]]:
    """A rollout of the first `images` images of a step (None: all), and their advantages."""
    recipe = session.recipe
    prompts = recipe.prompts.draw(step, recipe.run.seed).part(slice(images)).to(session.pipeline.device)
    rollout = roll_out(session.pipeline, prompts, (recipe.run.seed, "variance", step), recording)
    advantages = judge(session.scorers, recipe.advantage, rollout).advantages
    if not advantages.any():
        raise RunError(
            f"no image of the rollout has an advantage: {len(prompts)} images have equal rewards within each prompt; "
            "take more images, another run.seed, or weights that draw better"
        )
    return rollout, advantages


class FixedRollout:
    """A rollout whose chains can be drawn again, with fixed tokens, masks and advantages.

    The recipe's weighting, timesteps and replay are used, but not its penalty. The loss is over uncommitted tokens.
    """

    def __init__(self, recipe: Recipe, *, images: int, replicates: int):
        self.session, self.replicates = assemble(recipe), replicates
        self.later = component("selector", "uncommitted")
        steps = recording_of(self.session, noise.generator((recipe.run.seed, "variance", "timesteps")))
        every = frozenset(steps.steps)
        recording = Recording(steps.steps, steps.transitions, every, max(TRAJECTORIES) * replicates)
        self.rollout, self.advantages = rollout_of(self.session, 0, recording, images=images)

    def comparison(self, trajectories: int, rollout: Rollout) -> EstimatorComparison:
        """Compare both estimators with K = `trajectories`, on equal chains."""
        plain, expected = (
            spread([self.gradient(estimator, rollout, each) for each in range(self.replicates)])
            for estimator in (component("estimator", name, trajectories=trajectories) for name in COMPARED)
        )
        return EstimatorComparison(trajectories, plain, expected)

    def gradient(self, estimator: Estimator, rollout: Rollout, replicate: int) -> Float[Tensor, "p"]:
        """The gradient with the chains of replicate number `replicate`."""
        assert rollout.trajectories is not None
        chains = rollout.trajectories.some(replicate * max(TRAJECTORIES), max(TRAJECTORIES))
        method = method_of_one_process(self.session, selector=self.later, estimator=estimator)
        return gradient(self.session, method, replace(rollout, trajectories=chains), self.advantages)

    def at(self, place: int) -> Rollout:
        """The rollout with only the recorded transition at `place`."""
        assert self.rollout.trajectories is not None
        return replace(
            self.rollout,
            diffusion_steps=self.rollout.diffusion_steps[place : place + 1],
            trajectories=self.rollout.trajectories.transition(place),
            steps=tuple(replace(step, chain=step.chain.transition(place)) for step in self.rollout.steps),
        )


def of_updates(recipe: Recipe, *, steps: int, progress: Callable[[str], None] = print) -> dict[str, Signal]:
    """The signal of the whole update under each estimator, over the prompts of `steps` steps."""
    session = assemble(recipe)
    found: dict[str, Signal] = {}
    for step in range(steps):
        here = signals(session, step)
        found = {name: found[name].joined(each) if name in found else each for name, each in here.items()}
        progress(f"update of step {step}: {recipe.prompts.prompts} prompts done")
    return found


def compare_estimators(fixed: FixedRollout, progress: Callable[[str], None] = print) -> list[EstimatorComparison]:
    """Compare MTE with Rao–Blackwell at each K."""
    comparisons = []
    for count in TRAJECTORIES:
        comparisons.append(fixed.comparison(count, fixed.rollout))
        progress(f"K = {count}: {fixed.replicates} replicates done")
    return comparisons


def compare_transitions(fixed: FixedRollout, progress: Callable[[str], None] = print) -> dict[int, EstimatorComparison]:
    """Compare MTE with Rao–Blackwell at K = 1 for each transition alone, where Rao–Blackwell is never noisier."""
    steps = fixed.rollout.diffusion_steps
    found = {t: fixed.comparison(1, fixed.at(place)) for place, t in enumerate(steps)}
    progress(f"transitions {steps[0]} to {steps[-1]}: {fixed.replicates} replicates done")
    return found


def compare_weightings(
    recipe: Recipe, *, batches: int = 24, progress: Callable[[str], None] = print
) -> dict[str, Spread]:
    """The gradient of committed tokens over independent batches, under each registered weighting."""
    session = assemble(recipe)
    weightings: dict[str, Weighting] = {
        entry.name: component("weighting", entry.name) for entry in registry().entries("weighting")
    }
    committed, single = component("selector", "committed"), component("estimator", "single")
    samples: dict[str, list[Tensor]] = {name: [] for name in weightings}
    steps = recording_of(session, noise.generator((recipe.run.seed, "variance", "timesteps")))
    recording = Recording(steps.steps, steps.transitions)
    for batch in range(batches):
        rollout, advantages = rollout_of(session, batch, recording)
        for name, weighting in weightings.items():
            method = method_of_one_process(session, selector=committed, estimator=single, weighting=weighting)
            samples[name].append(gradient(session, method, rollout, advantages))
    progress(f"weightings: {batches} batches done")
    return {name: spread(gradients) for name, gradients in samples.items()}
