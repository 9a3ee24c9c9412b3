"""Promises of rewards, policies for their failures, advantages and canaries."""

from dataclasses import replace
from typing import Any

import torch

from margrpo.contracts import ShipsCases
from margrpo.errors import RewardError
from margrpo.records import grouped
from margrpo.testing.conformance.checks.run_state import run_state_survives_a_restart
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work import done
from margrpo.testing.conformance.work.pieces import numbers
from margrpo.testing.conformance.work.verdict import canary_inputs, groups, monitor_of, scorer_of, shown
from margrpo.train.verdict.judge import beyond

CLOSE = 1e-4
"""Largest difference of an image's score between batches, relative or absolute."""


def reward_scores_each_image(subject: Subject) -> None:
    """A reward returns one finite number per image, within the range that its traits declare."""
    images, _ = shown(subject)
    scores = done(subject)
    claim(scores.shape == (len(images),), f"for {len(images)} images it returns the shape {tuple(scores.shape)}")
    claim(scores.isfinite().all(), "a score is not finite")
    claim(not beyond(scores, subject.component.traits).any(), "a score lies outside the range that its traits declare")


def reward_does_not_mind_the_order(subject: Subject) -> None:
    """The score of an image does not depend on the order of images."""
    scorer, (images, prompts) = scorer_of(subject), shown(subject)
    order = list(range(len(images)))[::-1]
    scores, reversed_ = scorer.score(images, prompts), scorer.score(images[order], prompts.at(order))
    claim(torch.allclose(scores[order], reversed_, CLOSE, CLOSE), "a score depends on the order of the images")


def reward_does_not_mind_the_batch(subject: Subject) -> None:
    """The score of an image does not depend on other images of the batch."""
    scorer, (images, prompts) = scorer_of(subject), shown(subject)
    alone = torch.cat([scorer.score(images[[place]], prompts.at([place])) for place in range(len(images))])
    together = scorer.score(images, prompts)
    claim(torch.allclose(together, alone, CLOSE, CLOSE), "a score depends on the rest of the batch")


def reward_leaves_images_alone(subject: Subject) -> None:
    """A reward does not change its images."""
    images, prompts = shown(subject)
    before = images.clone()
    scorer_of(subject).score(images, prompts)
    claim(torch.equal(before, images), "it changes the images that it is given")


def reward_reads_what_it_declares(subject: Subject) -> None:
    """The score does not depend on fields of a prompt that the traits do not declare."""
    traits, (images, prompts) = subject.component.traits, shown(subject)
    others = {
        "text": replace(prompts, text=tuple("something else entirely" for _ in prompts.text)),
        "label": replace(prompts, label=torch.full_like(prompts.label, -1)),
        "metadata": replace(prompts, metadata=tuple({} for _ in prompts.metadata)),
    }
    scorer = scorer_of(subject)
    expected = scorer.score(images, prompts)
    for part, other in others.items():
        if part not in (*traits.reads, *traits.may_read):
            same = torch.allclose(scorer.score(images, other), expected, CLOSE, CLOSE)
            claim(same, f"it reads the {part} of a prompt, which its traits do not declare")


def reward_stands_its_own_cases(subject: Subject) -> None:
    """The reward's own cases have scores in their ranges."""
    component: Any = subject.component
    if not isinstance(subject.component, ShipsCases):
        not_applicable("it does not ship cases")
    scorer = scorer_of(subject)
    for case in component.cases():
        score = float(scorer.score(case.image[None], grouped([case.prompt], 1)))
        claim(case.low <= score <= case.high, f"{case.what}: {score:g}, which is not in {case.low:g} to {case.high:g}")


def on_failure_ends_or_lets_go(subject: Subject) -> None:
    """A policy calls at least once, waits 0 s or more, and gives up by raising the given error or returning."""
    policy, error = subject.component, RewardError("it failed")
    claim(policy.attempts >= 1, f"attempts = {policy.attempts} never calls the reward")
    claim(policy.backoff >= 0, f"backoff = {policy.backoff} is not a time to wait")
    claim(policy.timeout is None or policy.timeout > 0, f"timeout = {policy.timeout} is not a time to wait")
    try:
        policy.give_up(error)
    except RewardError as raised:
        claim(raised is error, "it raises another error than the reward's, which is then lost")


def advantages_sum_to_zero(subject: Subject) -> None:
    """Within each group advantages sum to zero, so that no prompt is pushed as a whole."""
    found = done(subject, dtype=torch.float64)
    sums = torch.zeros(3, dtype=found.dtype).index_add(0, groups(subject), found)
    claim(sums.abs().max() < 1e-6, f"the advantages of a group sum to {float(sums.abs().max()):g}")


def advantages_follow_the_reward(subject: Subject) -> None:
    """The image with the larger reward in a group never has the smaller advantage."""
    rewards, weights = numbers(subject, 12, 1), torch.ones(1)
    found = subject.component.advantages(rewards, weights, groups(subject))
    for one in range(3):
        mine = found[4 * one : 4 * one + 4][rewards[4 * one : 4 * one + 4, 0].argsort()]
        claim((mine.diff() >= -1e-6).all(), "a larger reward has a smaller advantage")


def advantages_are_zero_where_rewards_are_equal(subject: Subject) -> None:
    """Images of a group with equal rewards have an advantage of exactly 0, and cost nothing."""
    rewards = torch.full((12, 2), 0.1).cumsum(0)[groups(subject)]
    found = subject.component.advantages(rewards, torch.tensor([1.0, 3.0]), groups(subject))
    claim((found == 0).all(), "images of equal reward have an advantage that is not exactly 0")


def advantages_keep_to_their_group(subject: Subject) -> None:
    """The advantages of a group do not depend on the rewards of another."""
    rewards, weights = numbers(subject, 12, 1), torch.ones(1)
    other = rewards.clone()
    other[8:] += torch.tensor([[5.0], [1.0], [0.0], [9.0]])
    same = torch.equal(*(subject.component.advantages(r, weights, groups(subject))[:8] for r in (rewards, other)))
    claim(same, "the advantages of a group depend on another group")


def canary_is_still_where_nothing_changed(subject: Subject) -> None:
    """The drift of unchanged images is 0."""
    drift = monitor_of(subject).drift(canary_inputs(subject, changed=False))
    claim(abs(drift) <= CLOSE, f"the drift of unchanged images is {drift:.3g}, not 0")


def canary_tells_from_zero_how_far(subject: Subject) -> None:
    """The drift of changed images is 0 or more, and a canary does not change its images."""
    seen = canary_inputs(subject, changed=True)
    before = seen.images.clone()
    drift = monitor_of(subject).drift(seen)
    claim(drift >= 0, f"the drift is {drift}, which is not a number of 0 or more")
    claim(torch.equal(before, seen.images), "it changes its images")


CHECKS = {
    "canary": (
        canary_is_still_where_nothing_changed,
        canary_tells_from_zero_how_far,
        run_state_survives_a_restart,
    ),
    "reward": (
        reward_scores_each_image,
        reward_does_not_mind_the_order,
        reward_does_not_mind_the_batch,
        reward_leaves_images_alone,
        reward_reads_what_it_declares,
        reward_stands_its_own_cases,
        run_state_survives_a_restart,
    ),
    "on_failure": (on_failure_ends_or_lets_go,),
    "advantage": (
        advantages_sum_to_zero,
        advantages_follow_the_reward,
        advantages_are_zero_where_rewards_are_equal,
        advantages_keep_to_their_group,
    ),
}
