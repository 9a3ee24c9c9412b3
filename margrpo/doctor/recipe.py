"""Checks of a recipe on this machine: its files, memory, disk, replay, rewards and canaries."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from math import isfinite
from pathlib import Path

import torch

from margrpo.contracts import Reward, ShipsCases
from margrpo.doctor.finding import Check, Finding
from margrpo.doctor.machine import free_memory
from margrpo.evaluate.self_test import self_test
from margrpo.maths import noise
from margrpo.plan.memory import BYTES, GIB, memory, trained
from margrpo.recipe.presence import lacking, not_here
from margrpo.recipe.schema import Recipe
from margrpo.records import CanaryInputs, Rollout
from margrpo.train.assemble import Session, assemble, device_of, recording_of
from margrpo.train.rollout.roll_out import roll_out
from margrpo.train.verdict.judge import score
from margrpo.train.verdict.monitors import BuiltCanary
from margrpo.train.verdict.scorers import BuiltReward
from margrpo.train.watch import parity
from margrpo.train.watch.canaries import check_canaries

IMAGES = 4
"""Largest number of images drawn for the check."""


class RecipeUnderTest:
    """A recipe that is read at first use, and whose images are drawn once."""

    def __init__(self, read: Callable[[], Recipe], source: Path, place: Path):
        self.read, self.source, self.place = read, source, place

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, or a `RecipeError`."""
        return self.read()

    @cached_property
    def session(self) -> Session:
        """The session of the recipe, with everything built."""
        return assemble(self.recipe)

    @cached_property
    def rollout(self) -> Rollout:
        """A few images of the first step, recorded as in training."""
        run = self.recipe.run
        prompts = self.recipe.prompts.draw(0, run.seed).part(slice(IMAGES)).to(self.session.pipeline.device)
        recording = recording_of(self.session, noise.generator((run.seed, "doctor")))
        return roll_out(self.session.pipeline, prompts, (run.seed, "doctor"), recording)


def checks(under_test: RecipeUnderTest) -> list[Check]:
    """The checks of a recipe; a check fails if it depends on a broken part."""
    return [
        Check("recipe", lambda: read(under_test)),
        Check("files", lambda: present(under_test)),
        Check("its memory", lambda: fits(under_test)),
        Check("its disk", lambda: has_room(under_test)),
        Check("its prompts", lambda: prompts(under_test)),
        Check("its replay", lambda: replay(under_test)),
        Check("its rewards", lambda: rewards(under_test)),
    ]


def sound(findings: Sequence[Finding]) -> bool:
    """Whether the recipe could be read and its files are present, which all other checks need."""
    return all(each.status != "fail" for each in findings)


def read(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check that the recipe can be read, and that its device is present."""
    recipe = under_test.recipe
    yield Finding("recipe", "pass", f"{recipe.title or under_test.source}, on {device_of(recipe.run.device)}")


def present(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check that weights and packages are present."""
    problems, hint = lacking(under_test.recipe)
    for problem in problems:
        yield Finding("files", "fail", problem, hint if problem is problems[-1] else "")
    if problems:
        return
    for each in not_here(under_test.recipe):
        yield Finding("files", "warn", f"{each} will be downloaded", "the first start takes longer")
    yield Finding("files", "pass", "weights, packages and prompts are present")


def fits(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check that the planned peak of memory is free."""
    estimate, device = memory(under_test.recipe), device_of(under_test.recipe.run.device)
    free = free_memory(device)
    if free is None:
        yield Finding("its memory", "warn", "cannot be told beforehand", "watch bytes/memory in the first steps")
        return
    said = f"{estimate.peak / GIB:.1f} GiB at its peak, and {free / GIB:.1f} GiB are free on {device}"
    if estimate.peak < free:
        yield Finding("its memory", "pass", said)
    else:
        yield Finding(
            "its memory", "fail", said, "lower run.budget, prompts.prompts, prompts.group or run.eval_prompts"
        )


def has_room(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Whether the checkpoints that are kept, and one more, fit the disk."""
    recipe, of = under_test.recipe, under_test.recipe.policy.footprint()
    above = next(each for each in (under_test.place, *under_test.place.absolute().parents) if each.exists())
    free = shutil.disk_usage(above).free
    one = BYTES * (of.parameters + recipe.optimizer.state_per_parameter * sum(trained(recipe, of)))
    kept = recipe.run.keep_last + 1 + (recipe.run.steps // recipe.run.keep_every if recipe.run.keep_every else 0)
    said = f"{kept} checkpoints of {one / GIB:.2f} GiB, and {free / GIB:.1f} GiB are free at {above.absolute()}"
    if one * kept < free:
        yield Finding("its disk", "pass", said)
    else:
        yield Finding("its disk", "fail", said, "free some space, lower run.keep_last, or choose another --out")


def prompts(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check that policy and rewards can read the prompts of the first step and the held-out prompts."""
    recipe, session = under_test.recipe, under_test.session
    held_out, first = recipe.prompts.held_out(), recipe.prompts.draw(0, recipe.run.seed)
    for some, scorers in ((held_out, session.measure), (first, session.scorers)):
        for reward in scorers:
            reward.refuse_unreadable(some)
        with torch.no_grad():
            session.model.prefix(some.part(slice(64)).to(session.pipeline.device))
    yield Finding("its prompts", "pass", f"{len(first)} images a step, {len(held_out)} held-out prompts")


def replay(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check promise 1 on a few images: replayed log-probabilities equal the recorded ones."""
    off = parity.check(under_test.session.pipeline, under_test.rollout, under_test.session.method.budget)
    yield Finding("its replay", "pass", f"log-probabilities agree within {off:.1e} nats")


def rewards(under_test: RecipeUnderTest) -> Iterator[Finding]:
    """Check each reward, the measure and the canaries on drawn images, and the rewards' own cases."""
    recipe, session, rollout = under_test.recipe, under_test.session, under_test.rollout
    judged = [("its rewards", *pair) for pair in zip(recipe.reward, session.scorers, strict=True)]
    if recipe.measure is not None:
        judged.append(("its measure", recipe.measure, session.measure[0]))
    for what, settings, reward in judged:
        yield from Check(what, partial(check_reward, what, settings, reward, rollout)).findings()
    for canary in session.canaries:
        yield from Check("its canaries", partial(check_canary, canary, rollout)).findings()


def check_reward(what: str, settings: Reward, reward: BuiltReward, rollout: Rollout) -> Iterator[Finding]:
    """Check one reward on the images of a rollout."""
    scores = score(reward, rollout.images, rollout.prompts)
    said = f"{reward.name}: {float(scores.mean()):.3g} on average for {len(scores)} images"
    off = (
        [told.case.what for told in self_test(settings).cases if not told.holds]
        if isinstance(settings, ShipsCases)
        else []
    )
    if off:
        remedy = f"margrpo rewards test {reward.name}"
        yield Finding(what, "fail", f"{said}; its own cases score outside their ranges: {', '.join(off)}", remedy)
    elif len(scores) > 1 and float(scores.std()) == 0:
        remedy = "equal rewards within a prompt teach nothing; see `live_groups` in the first steps"
        yield Finding(what, "warn", f"{said}, and all scores are equal", remedy)
    else:
        yield Finding(what, "pass", said)


def check_canary(canary: BuiltCanary, rollout: Rollout) -> Iterator[Finding]:
    """Check one canary, which gets one set of images as both the current and the untrained policy's."""
    inputs = CanaryInputs(rollout.prompts, rollout.images, rollout.images, rollout.images[None])
    (drift,) = check_canaries((canary,), inputs).figures.values()
    said = f"canary {canary.name}: reads {drift:.3g} on unchanged pictures"
    if isfinite(drift):
        yield Finding("its canaries", "pass", f"{said}, as it should" if drift == 0 else said)
    else:
        yield Finding("its canaries", "fail", said, "mend the canary, or its reward, or leave it out")
