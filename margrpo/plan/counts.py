"""The counts of a training step, from the recipe alone: weights are not loaded, and torch is not imported."""

from collections.abc import Sequence
from itertools import pairwise
from math import comb

import attrs

from margrpo.recipe.schema import Recipe
from margrpo.records import Count, Needs, Stage, fixed


@attrs.frozen
class Plan:
    """The counts of a training step; an evaluation of the head is one token of one chain at one diffusion step.

    Evaluations and passes count once; with guidance the head and the backbone work on both halves each time.
    """

    prompts: int
    images: int
    updates: int
    stages: tuple[Stage, ...]
    kept_stages: int
    diffusion_steps: int
    transitions: int
    rollout: Count
    trajectories: Count
    update: Count
    reference: Count
    guided_rollout: bool
    guided_update: bool
    backbone_rollout: int
    backbone_update: Count
    backbone_reference: Count


def plan(recipe: Recipe) -> Plan:
    """The plan of a sound recipe; the update's figures hold when every image has an advantage."""
    stages = stages_of(recipe)
    kept, transitions = kept_of(recipe)
    images, updates = images_of(recipe), recipe.objective.updates
    scales = [recipe.replay.scale(stage.scale) for stage in stages]
    update = scored_of(recipe, stages, kept) * (transitions * images * updates)
    passes = summed_over_kept([fixed(2 if scale != 1 else 1) for scale in scales], kept) * updates
    has_reference = recipe.penalty.reference is not None
    held = held_of(recipe, stages, kept) * (transitions * images * updates)
    return Plan(
        prompts=images // recipe.prompts.group,
        images=images,
        updates=updates,
        stages=stages,
        kept_stages=kept,
        diffusion_steps=recipe.sampler.steps,
        transitions=transitions,
        rollout=drawn(recipe, stages) * (images * recipe.sampler.steps),
        trajectories=resampled_of(recipe, stages[0].tokens) * (images * recipe.sampler.steps),
        update=update + held,
        reference=fixed(0) if not has_reference else held if held.most else update,
        guided_rollout=any(stage.scale != 1 for stage in stages),
        guided_update=any(scale != 1 for scale in scales),
        backbone_rollout=sum(2 if stage.scale != 1 else 1 for stage in stages),
        backbone_update=passes,
        backbone_reference=passes if has_reference else fixed(0),
    )


def images_of(recipe: Recipe) -> int:
    """The number of images of a rollout."""
    return recipe.prompts.prompts * recipe.prompts.group


def stages_of(recipe: Recipe) -> tuple[Stage, ...]:
    """The AR steps of one image."""
    tokens = recipe.policy.geometry()[0]
    counts = recipe.unmasking.counts(tokens)
    scale = recipe.guidance.scale
    return tuple(Stage(tokens, now, now - after, scale(tokens, after)) for now, after in pairwise(counts))


def scored_of(recipe: Recipe, stages: Sequence[Stage], kept: int) -> Count:
    """The chains of one image that the update scores at a transition, if the image has an advantage."""
    tokens = stages[0].tokens
    selected, chains = recipe.selector.extent(tokens), recipe.estimator.chains(tokens)
    return summed_over_kept([chains.scored(selected, stage) for stage in stages], kept)


def held_of(recipe: Recipe, stages: Sequence[Stage], kept: int) -> Count:
    """The main chains of one image that are penalised, if the penalty has tokens of its own."""
    where = recipe.penalty.where
    if where is None:
        return fixed(0)
    held = where.extent(stages[0].tokens)
    return summed_over_kept([held.at(stage) for stage in stages], kept)


def kept_of(recipe: Recipe) -> tuple[int, int]:
    """The number of AR steps and of transitions that are trained on."""
    steps, noisy = recipe.unmasking.steps, sum(map(recipe.sampler.has_density, range(recipe.sampler.steps)))
    kept, transitions = recipe.timesteps.kept(steps, noisy)
    return min(steps, kept), min(noisy, transitions)


def needs_of(recipe: Recipe) -> Needs:
    """The needs of selector, estimator and penalty."""
    return recipe.selector.needs() | recipe.estimator.needs() | recipe.penalty.needs()


def resampled_of(recipe: Recipe, tokens: int) -> Count:
    """The chains of one image beside the main chains: of all tokens if all are compared, else of selected tokens."""
    needs = needs_of(recipe)
    most = needs.trajectories * tokens
    every = needs.everywhere or bool(recipe.selector.needs().trajectories) or not most
    return Count(most, most if every else None)


def summed_over_kept(counts: Sequence[Count], kept: int) -> Count:
    """The sum of `counts` over `kept` random AR steps."""
    most = sum(sorted((count.most for count in counts), reverse=True)[:kept])
    means = [count.mean for count in counts if count.mean is not None]
    return Count(most, sum(means) * kept / len(counts) if len(means) == len(counts) else None)


def drawn(recipe: Recipe, stages: Sequence[Stage]) -> Count:
    """The tokens drawn for one image: each when it is committed, and before at AR steps with virtual draws."""
    once, needs = fixed(stages[0].tokens), needs_of(recipe)
    if not needs.virtual:
        return once
    steps, (kept, _) = len(stages), kept_of(recipe)
    chances = [virtual_chance(index, steps, kept, previous=needs.previous) for index in range(steps)]
    virtual = min(steps, kept * (2 if needs.previous else 1))
    most = sum(sorted((stage.left for stage in stages), reverse=True)[:virtual])
    return once + Count(most, sum(p * stage.left for p, stage in zip(chances, stages, strict=True)))


def virtual_chance(index: int, steps: int, kept: int, *, previous: bool) -> float:
    """The probability that an AR step is kept, or with `previous` that it or the one after it is."""
    concerned = 2 if previous and index + 1 < steps else 1
    return 1 - comb(steps - concerned, kept) / comb(steps, kept)
