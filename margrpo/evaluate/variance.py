"""The noise of the gradient under each estimator and weighting, for `margrpo variance`."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import attrs
from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.contracts import Estimator, VariesChains, Weighting
from margrpo.errors import RunError
from margrpo.evaluate.spread import EstimatorComparison, Spread, spread
from margrpo.maths import noise
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe import Recipe
from margrpo.recipe.structure import component_of, settings_of
from margrpo.records import ARStep, Extent, Needs, Rollout
from margrpo.train.assemble import Session, assemble, recording_of, virtual_steps
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.verdict.judge import judge
from margrpo.train.watch.signal_to_noise import Signal, gradient, method_of_one_process, signals

TRAJECTORIES = (1, 2, 4, 8)
"""Numbers of chains per token, K, at which estimators are compared."""


class Marked:
    """A selector of the tokens that `mark` marks, for records that are complete."""

    def __init__(self, mark: Callable[[ARStep], Bool[Tensor, "b n"]]):
        self.mark = mark

    def needs(self) -> Needs:
        """The selector needs no records."""
        return Needs()

    def extent(self, tokens: int) -> Extent:
        """At most all tokens."""
        return Extent(known=False)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The marked tokens of the AR step."""
        return self.mark(step)


def with_default_settings(kind: str, among: Registry | None) -> dict[str, Any]:
    """The components of a kind that need no setting, by name; built-in components come first."""
    found = among or registry()
    entries = sorted(found.entries(kind), key=lambda entry: found.distribution(entry) != "margrpo")
    classes = {entry.name: found.load(entry) for entry in entries}
    return {name: cls() for name, cls in classes.items() if not needs_a_setting(cls)}


def needs_a_setting(cls: type) -> bool:
    """Whether a setting of a component class has no default."""
    return any(field.default is attrs.NOTHING for field in settings_of(cls).values())


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

    def __init__(self, recipe: Recipe, *, images: int, replicates: int, among: Registry | None = None):
        self.session, self.replicates = assemble(recipe), replicates
        candidates = with_default_settings("estimator", among)
        self.estimators = {name: each for name, each in candidates.items() if isinstance(each, VariesChains)}
        every = [each.with_chains(count).needs() for each in self.estimators.values() for count in TRAJECTORIES]
        needs = reduce(or_, every, Needs(virtual=True))
        self.chains = needs.trajectories
        steps = recording_of(self.session, noise.generator((recipe.run.seed, "variance", "timesteps")))
        virtual = virtual_steps(steps.steps, needs)
        recording = Recording(steps.steps, steps.transitions, virtual, self.chains * replicates)
        self.rollout, self.advantages = rollout_of(self.session, 0, recording, images=images)

    def comparison(self, trajectories: int, rollout: Rollout) -> EstimatorComparison:
        """Compare the estimators with K = `trajectories`, on equal chains."""
        estimators = {name: each.with_chains(trajectories) for name, each in self.estimators.items()}
        spreads = {
            name: spread([self.gradient(estimator, rollout, each) for each in range(self.replicates)])
            for name, estimator in estimators.items()
        }
        return EstimatorComparison(trajectories, spreads)

    def gradient(self, estimator: Estimator, rollout: Rollout, replicate: int) -> Float[Tensor, "p"]:
        """The gradient with the chains of replicate number `replicate`."""
        assert rollout.trajectories is not None
        chains = rollout.trajectories.some(replicate * self.chains, self.chains)
        later = Marked(lambda step: step.unknown & ~step.committed)
        method = method_of_one_process(self.session, selector=later, estimator=estimator)
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
    """Compare the estimators at each K."""
    comparisons = []
    for count in TRAJECTORIES:
        comparisons.append(fixed.comparison(count, fixed.rollout))
        progress(f"K = {count}: {fixed.replicates} replicates done")
    return comparisons


def compare_transitions(fixed: FixedRollout, progress: Callable[[str], None] = print) -> dict[int, EstimatorComparison]:
    """Compare the estimators with K = 1 at each transition alone."""
    steps = fixed.rollout.diffusion_steps
    found = {t: fixed.comparison(1, fixed.at(place)) for place, t in enumerate(steps)}
    progress(f"transitions {steps[0]} to {steps[-1]}: {fixed.replicates} replicates done")
    return found


def compare_weightings(
    recipe: Recipe, *, batches: int = 24, progress: Callable[[str], None] = print, among: Registry | None = None
) -> dict[str, Spread]:
    """The gradient of committed tokens over independent batches, under each weighting that needs no setting."""
    session = assemble(recipe)
    weightings: dict[str, Weighting] = with_default_settings("weighting", among)
    # Defaults of their kinds, which a recipe gets that names none: committed tokens and their main chains.
    selector, estimator = (component_of(registry().kinds[kind].default, kind) for kind in ("selector", "estimator"))
    samples: dict[str, list[Tensor]] = {name: [] for name in weightings}
    steps = recording_of(session, noise.generator((recipe.run.seed, "variance", "timesteps")))
    recording = Recording(steps.steps, steps.transitions)
    for batch in range(batches):
        rollout, advantages = rollout_of(session, batch, recording)
        for name, weighting in weightings.items():
            method = method_of_one_process(session, selector=selector, estimator=estimator, weighting=weighting)
            samples[name].append(gradient(session, method, rollout, advantages))
    progress(f"weightings: {batches} batches done")
    return {name: spread(gradients) for name, gradients in samples.items()}
