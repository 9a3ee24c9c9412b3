"""What rewards, policies for their failures, and advantages promise."""

from dataclasses import replace
from typing import Any

import torch

from margrpo.contracts import ShipsCases
from margrpo.errors import RewardError
from margrpo.records import grouped
from margrpo.testing.conformance.checks.run_state import run_state_survives_a_restart
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work import canary_inputs, done, groups, monitor_of, numbers, scorer_of, shown
from margrpo.train.verdict.judge import beyond

CLOSE = 1e-4
"""How drift a score may differ with the batch it is in, as a share of its size or absolutely."""


def reward_scores_each_image(subject: Subject) -> None:
    """It returns one finite number for each image, within the range that its traits declare."""
    images, _ = shown(subject)
    scores = done(subject)
    claim(scores.shape == (len(images),), f"for {len(images)} images it returns the shape {tuple(scores.shape)}")
    claim(scores.isfinite().all(), "a score is not finite")
    claim(not beyond(scores, subject.component.traits).any(), "a score lies outside the range that its traits declare")


def reward_does_not_mind_the_order(subject: Subject) -> None:
    """Images in another order have the same scores in that order."""
    scorer, (images, prompts) = scorer_of(subject), shown(subject)
    order = list(range(len(images)))[::-1]
    scores, reversed_ = scorer.score(images, prompts), scorer.score(images[order], prompts.at(order))
    claim(torch.allclose(scores[order], reversed_, CLOSE, CLOSE), "a score depends on the order of the images")


def reward_does_not_mind_the_batch(subject: Subject) -> None:
    """An image has the same score alone and among others."""
    scorer, (images, prompts) = scorer_of(subject), shown(subject)
    alone = torch.cat([scorer.score(images[[place]], prompts.at([place])) for place in range(len(images))])
    together = scorer.score(images, prompts)
    claim(torch.allclose(together, alone, CLOSE, CLOSE), "a score depends on the rest of the batch")


def reward_leaves_images_alone(subject: Subject) -> None:
    """The images that it is given are not changed."""
    images, prompts = shown(subject)
    before = images.clone()
    scorer_of(subject).score(images, prompts)
    claim(torch.equal(before, images), "it changes the images that it is given")


def reward_reads_what_it_declares(subject: Subject) -> None:
    """What it does not say that it reads of a prompt makes no difference."""
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
            claim(same, f"it reads the {part} of a prompt, and its traits do not say so")


def reward_stands_its_own_cases(subject: Subject) -> None:
    """The images that it ships have the scores that it says."""
    component: Any = subject.component
    if not isinstance(subject.component, ShipsCases):
        not_applicable("it ships no cases")
    scorer = scorer_of(subject)
    for case in component.cases():
        score = float(scorer.score(case.image[None], grouped([case.prompt], 1)))
        claim(case.low <= score <= case.high, f"{case.what}: {score:g}, which is not in {case.low:g} to {case.high:g}")


def on_failure_ends_or_lets_go(subject: Subject) -> None:
    """It calls at least once, waits no negative time, and then raises the very error or returns."""
    policy, error = subject.component, RewardError("it failed")
    claim(policy.attempts >= 1, f"attempts = {policy.attempts} never calls the reward")
    claim(policy.backoff >= 0, f"backoff = {policy.backoff} is no time to wait")
    claim(policy.timeout is None or policy.timeout > 0, f"timeout = {policy.timeout} is no time to wait")
    try:
        policy.give_up(error)
    except RewardError as raised:
        claim(raised is error, "it raises another error than the reward's, which is then nowhere told")


def advantages_sum_to_zero(subject: Subject) -> None:
    """Within each group advantages sum to zero, so that no prompt is pushed as a whole."""
    found = done(subject, dtype=torch.float64)
    sums = torch.zeros(3, dtype=found.dtype).index_add(0, groups(subject), found)
    claim(sums.abs().max() < 1e-6, f"the advantages of a group sum to {float(sums.abs().max()):g}")


def advantages_follow_the_reward(subject: Subject) -> None:
    """Of two images of a group, that with the larger reward never has the smaller advantage."""
    rewards, weights = numbers(subject, 12, 1), torch.ones(1)
    found = subject.component.advantages(rewards, weights, groups(subject))
    for one in range(3):
        mine = found[4 * one : 4 * one + 4][rewards[4 * one : 4 * one + 4, 0].argsort()]
        claim((mine.diff() >= -1e-6).all(), "a larger reward has a smaller advantage")


def advantages_are_zero_where_rewards_are_equal(subject: Subject) -> None:
    """A group whose images earn the same has advantage 0 exactly, and costs nothing."""
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
    """Images that are as they were before training, and not alike, have strayed nowhere."""
    drift = monitor_of(subject).drift(canary_inputs(subject, changed=False))
    claim(abs(drift) <= CLOSE, f"images as they were before training have strayed by {drift:.3g}")


def canary_tells_from_zero_how_far(subject: Subject) -> None:
    """It is a number from 0, of images that have changed too, and leaves them as they are."""
    seen = canary_inputs(subject, changed=True)
    before = seen.images.clone()
    drift = monitor_of(subject).drift(seen)
    claim(drift >= 0, f"images have strayed by {drift}, which is no number from 0")
    claim(torch.equal(before, seen.images), "it changes the images that it is shown")


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
