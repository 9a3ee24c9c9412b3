"""Promises of prompts, unmasking, samplers, guidance, timesteps, datasets and suites."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from margrpo.evaluate.suite import rewards_of
from margrpo.maths.noise import generator
from margrpo.records import Rollout, grouped
from margrpo.testing import small
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work import done
from margrpo.testing.conformance.work.pieces import pipeline_of_sampler
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.watch import parity


def prompts_come_in_groups(subject: Subject) -> None:
    """A step has `prompts` prompts, each for `group` images that share text, label and metadata."""
    source = subject.component
    source.require()
    drawn = source.draw(0, 0)
    claim(len(drawn) == source.prompts * source.group, f"a step has {len(drawn)} images, not prompts · group")
    claim(len(drawn.group.unique()) == source.prompts, "a step has not as many groups as prompts")
    for one in drawn.group.unique().tolist():
        places = (drawn.group == one).nonzero()[:, 0].tolist()
        claim(len(places) == source.group, "a group has not as many images as it should")
        shared = {(drawn.text[i], int(drawn.label[i]), repr(drawn.metadata[i])) for i in places}
        claim(len(shared) == 1, "images of one group have different prompts")
    claim(len(set(drawn.keys)) == len(drawn), "two images of a step have the same key, and would be the same picture")


def prompts_change_with_step_and_seed(subject: Subject) -> None:
    """Prompts change with the step and the seed, unless there is only one prompt."""
    source = subject.component
    seen = {source.draw(step, seed).text for step in range(4) for seed in range(2)}
    every = {text for texts in seen for text in texts}
    if len(every) <= 1:
        not_applicable("there is one prompt")
    claim(len(seen) > 1, "every step and seed draws the same prompts in the same order")


def prompts_hold_some_out(subject: Subject) -> None:
    """Held-out prompts have one image each, in groups of their own, and do not depend on the seed."""
    held = subject.component.held_out()
    claim(len(held) > 0, "no prompt is held out")
    claim(len(held.group.unique()) == len(held), "two held-out images share a group")
    claim(len(set(held.keys)) == len(held), "two held-out images have the same key")


def unmasking_counts_down(subject: Subject) -> None:
    """The number of unknown tokens falls from n to 0, by at least one per AR step."""
    steps = subject.component.steps
    for n in (steps, steps + 1, 4 * steps, 256 + steps):
        counts = subject.component.counts(n)
        claim(len(counts) == steps + 1, f"of {n} tokens it gives {len(counts)} counts, not steps + 1 = {steps + 1}")
        claim(counts[0] == n and counts[-1] == 0, f"of {n} tokens it goes from {counts[0]} to {counts[-1]}, not to 0")
        falls = all(before > after for before, after in pairwise(counts))
        claim(falls, f"of {n} tokens an AR step commits none: {counts}")


def sampler_explains_its_chains(subject: Subject) -> None:
    """Drawn transitions have the mean and std that the sampler reports; without noise they equal the mean.

    The standardised noise of all recorded transitions has mean 0 and variance 1. The chance of a false alarm beyond six
    standard errors is 2e-9. Noise is keyed, so a sound sampler always passes.
    """
    sampler, found = subject.component, []
    for step in rollout_of(subject).steps:
        for place, t in enumerate(reversed(range(sampler.steps))):
            chain = step.chain.transition(place)
            if sampler.draws_noise(t):
                claim((chain.std > 0).all(), f"transition {t} draws noise, and its reported std is 0")
                found.append(((chain.next - chain.mean) / chain.std).flatten())
            else:
                claim(torch.equal(chain.next, chain.mean), f"transition {t} draws no noise, and is not its own mean")
    if not found:
        not_applicable("it draws no noise")
    z = torch.cat(found).double()
    claim(abs(float(z.mean())) < 6 / len(z) ** 0.5, "the noise of its steps has not mean 0 by the mean it reports")
    claim(abs(float(z.var()) - 1) < 6 * (2 / len(z)) ** 0.5, "the noise of its steps has not variance 1 by its std")


def sampler_has_density_where_it_draws_noise(subject: Subject) -> None:
    """Only a transition that draws noise has a density; its std and nominal std are positive."""
    sampler = subject.component
    gaussians = dict(zip(reversed(range(sampler.steps)), done(subject), strict=True))
    for t, (_, std) in gaussians.items():
        if sampler.has_density(t):
            claim(sampler.draws_noise(t), f"transition {t} has a density and draws no noise")
            claim((std > 0).all() and std.isfinite().all(), f"transition {t} has a density and no positive std")
            claim(sampler.nominal_std(t) > 0, f"transition {t} has a density, and its nominal_std is 0")
        if not sampler.draws_noise(t):
            claim((std == 0).all(), f"transition {t} draws no noise, and its std is not 0")


def sampler_replays_what_it_drew(subject: Subject) -> None:
    """With unchanged weights, replayed log-probabilities of the sampler's chains equal the recorded ones."""
    if not any(map(subject.component.has_density, range(subject.component.steps))):
        not_applicable("it has no density")
    pipeline = pipeline_of_sampler(subject)
    parity.check(pipeline, small.rollout(pipeline, trajectories=0))


def sampler_ends_in_signal(subject: Subject) -> None:
    """The share of signal grows from transition to transition, and times fall."""
    sampler = subject.component
    shares = [sampler.alpha_bar(t) for t in range(sampler.steps)]
    claim(all(0 <= share <= 1 for share in shares), "alpha_bar is not a share between 0 and 1")
    claim(shares == sorted(shares, reverse=True), "alpha_bar does not grow from the first step taken to the last")
    times = [sampler.time(t) for t in range(sampler.steps)]
    claim(times == sorted(times), "the time that the head is given does not fall as steps are taken")


def rollout_of(subject: Subject) -> Rollout:
    """A rollout with the sampler, with every transition recorded."""
    pipeline = pipeline_of_sampler(subject)
    every = tuple(reversed(range(subject.component.steps)))
    return roll_out(pipeline, small.prompts(4, 2), ("sampler",), Recording((0, 1, 2), every, frozenset((0, 1, 2))))


def guidance_is_a_scale(subject: Subject) -> None:
    """The scale is finite and not negative, for every number of remaining tokens."""
    for n in (1, 16, 256):
        for remaining in range(n):
            scale = subject.component.scale(n, remaining)
            sound = math.isfinite(scale) and scale >= 0
            claim(sound, f"with {remaining} of {n} tokens unknown the scale is {scale}")


def timesteps_are_among_those_there_are(subject: Subject) -> None:
    """Kept AR steps are distinct and ascend; kept transitions are distinct, offered and descend; neither is empty."""
    offered = (1, 2, 4, 5)
    for seed in range(8):
        steps, transitions = subject.component.draw(6, offered, generator((seed,)))
        claim(steps and transitions, "no step is kept")
        claim(list(steps) == sorted(set(steps)) and set(steps) <= set(range(6)), f"of 6 AR steps it keeps {steps}")
        descending = sorted(set(transitions), reverse=True)
        sound = list(transitions) == descending and set(transitions) <= set(offered)
        claim(sound, f"of the transitions {offered} it keeps {transitions}")


def dataset_shows_pictures(subject: Subject) -> None:
    """A batch has `count` images with values in [0, 1] and a prompt for each, and differs from the next batch."""
    images, prompts = subject.component.images(0, 3, 0)
    claim(len(images) == len(prompts) == 3, f"a batch of 3 has {len(images)} images and {len(prompts)} prompts")
    claim(images.min() >= 0 and images.max() <= 1, "the values of its images are not in [0, 1]")
    claim(not torch.equal(images, subject.component.images(1, 3, 0)[0]), "two batches are equal")


def suite_asks_the_same_each_time(subject: Subject) -> None:
    """A suite has at least one prompt, equal at every call and without repeats, and each prompt has a category."""
    suite = subject.component
    suite.require()
    first, again = ([prompt.text for prompt in suite.prompts()] for _ in range(2))
    claim(first, "it has no prompts")
    claim(first == again, "its prompts change from call to call")
    claim(len(set(first)) == len(first), "a prompt comes twice")
    odd = [prompt.text for prompt in suite.prompts() if not isinstance(suite.category(prompt), str)]
    claim(not odd, f"prompt {odd[:1]} has no category")


def suite_names_rewards_that_read_its_prompts(subject: Subject) -> None:
    """A suite has at least one reward, and every prompt has the fields that each reward reads."""
    suite = subject.component
    rewards = rewards_of(suite)
    claim(rewards, "it does not name a reward")
    prompts = grouped(list(suite.prompts()), 1)
    told: dict[str, Sequence[Any]] = {
        "text": prompts.text,
        "metadata": prompts.metadata,
        "label": (prompts.label >= 0).tolist(),
    }
    for part in (part for reward in rewards for part in reward.traits.reads):
        claim(all(told[part]), f"a reward reads the {part} of a prompt, which one of its prompts lacks")


CHECKS = {
    "suite": (suite_asks_the_same_each_time, suite_names_rewards_that_read_its_prompts),
    "prompts": (prompts_come_in_groups, prompts_change_with_step_and_seed, prompts_hold_some_out),
    "unmasking": (unmasking_counts_down,),
    "sampler": (
        sampler_explains_its_chains,
        sampler_has_density_where_it_draws_noise,
        sampler_replays_what_it_drew,
        sampler_ends_in_signal,
    ),
    "guidance": (guidance_is_a_scale,),
    "timesteps": (timesteps_are_among_those_there_are,),
    "dataset": (dataset_shows_pictures,),
}
