"""Judging: from images to advantages."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from time import sleep

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.contracts import Advantage
from margrpo.declare import record
from margrpo.errors import DataError, MargrpoError, RewardError
from margrpo.plugin.loading import described
from margrpo.records import Prompts, Rollout, Traits, Verdict
from margrpo.train.verdict.deadline import with_deadline
from margrpo.train.verdict.scorers import BuiltReward, Scorers, weights

OfAll = Callable[[Tensor], Tensor]
"""A function from rows for this process's images to rows for all images of the step."""
ROUNDING = 1e-5
"""Tolerance of rounding at the ends of a reward's range, as a share of the range's larger end."""


@record
class Scores:
    """The scores of one reward.

    - `values`: score of each image.
    - `kept`: images that have a score.
    - `notes`: reasons why other images have none.
    """

    values: Float[Tensor, "b"]
    kept: Bool[Tensor, "b"]
    notes: tuple[str, ...] = ()

    @classmethod
    def concat(cls, parts: "Sequence[Scores]") -> "Scores":
        """The scores of all `parts`, part by part."""
        values, kept = (torch.cat([getattr(part, name) for part in parts]) for name in ("values", "kept"))
        return cls(values, kept, tuple(note for part in parts for note in part.notes))


NOTHING: Mapping[str, Scores] = {}


def judge(
    scorers: Scorers,
    advantage: Advantage,
    rollout: Rollout,
    of_all: OfAll = lambda rows: rows,
    known: Mapping[str, Scores] = NOTHING,
) -> Verdict:
    """The verdict on all images of the step: each reward, the weighted sum, and the advantages within groups.

    A group that a reward's policy has dropped takes no part and has no advantage. Rewards whose scores are `known`,
    by name, are not computed again.
    """
    found = [known.get(reward.name) or scores_of(reward, rollout.images, rollout.prompts) for reward in scorers]
    device = rollout.images.device
    rows = of_all(torch.stack([scores.values.to(device) for scores in found], dim=1))
    group = of_all(rollout.prompts.group)
    kept = of_all(torch.stack([scores.kept.to(device) for scores in found]).all(0).long()).bool()
    weight = weights(scorers, device)
    advantages = torch.zeros_like(rows[:, 0])
    if kept.any():
        advantages[kept] = advantage.advantages(rows[kept], weight, group[kept])
    notes = tuple(note for scores in found for note in scores.notes)
    names = tuple(reward.name for reward in scorers)
    return Verdict(rows, rows @ weight, advantages, names, group, kept, notes)


def scores_of(reward: BuiltReward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Scores:
    """The scores of all images; after a failure that the policy accepts, group by group without failed groups."""
    kept = torch.ones(len(prompts), dtype=torch.bool, device=images.device)
    try:
        return Scores(score(reward, images, prompts), kept)
    except RewardError as error:
        reward.policy.give_up(error)
    values, notes = torch.zeros(len(prompts), device=images.device), []
    for each in prompts.group.unique().tolist():
        places = (prompts.group == each).nonzero()[:, 0].tolist()
        try:
            values[places] = score(reward, images[places], prompts.at(places))
        except RewardError as error:
            reward.policy.give_up(error)
            kept[places] = False
            notes.append(f"the group of prompt {prompts.text[places[0]]!r} is dropped: {error}")
    return Scores(values, kept, tuple(notes))


def score(reward: BuiltReward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
    """The score of each image, after as many calls as the policy allows, or `RewardError` with the prompt.

    A fault of the data is raised at once.
    """
    policy = reward.policy
    for number in range(policy.attempts):
        try:
            return answer(reward, images, prompts)
        except RewardError as error:
            if of_data(error):
                raise
            failure = error
        if number + 1 < policy.attempts:
            sleep(policy.backoff * 2**number)
    if policy.attempts == 1:
        raise failure
    raise RewardError(f"{failure}, at the last of {policy.attempts} calls") from failure


def of_data(error: BaseException) -> bool:
    """Whether a reward failed because of its inputs, so that another call cannot help."""
    while isinstance(error, RewardError) and error.__cause__ is not None:
        error = error.__cause__
    return isinstance(error, DataError)


def answer(reward: BuiltReward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
    """The scores of one call, checked: one finite number per image, in the range that the reward declares."""
    name, about = f"reward {reward.name}", f"{len(prompts)} images, the first of prompt {prompts.text[0]!r}"
    timeout = reward.policy.timeout
    try:
        scores = with_deadline(timeout, lambda: reward.scorer.score(images, prompts))
    except TimeoutError:
        raise RewardError(f"{name}: took longer than {timeout:g} s for {about}") from None
    except MargrpoError as error:
        raise RewardError(f"{name}: {str(error).removeprefix(name + ': ')}") from error
    except Exception as error:
        raise RewardError(f"{name}: raised {described(error)} for {about}") from error
    if not isinstance(scores, Tensor) or scores.shape != (len(prompts),):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise RewardError(f"{name}: returned {shape} for {about}; it must return one number per image")
    scores = scores.float().to(images.device)
    for wrong, says in ((~torch.isfinite(scores), ""), (beyond(scores, reward.traits), outside(reward.traits))):
        if wrong.any():
            first = int(wrong.int().argmax())
            raise RewardError(f"{name}: returned {float(scores[first]):g} for prompt {prompts.text[first]!r}{says}")
    return scores


def beyond(scores: Float[Tensor, "b"], traits: Traits) -> Bool[Tensor, "b"]:
    """The scores that lie outside the declared range by more than rounding."""
    slack = ROUNDING * max([1.0, *(abs(end) for end in (traits.low, traits.high) if isfinite(end))])
    return (scores < traits.low - slack) | (scores > traits.high + slack)


def outside(traits: Traits) -> str:
    """The end of a message about a score outside the declared range."""
    return f", outside the range of {traits.low:g} to {traits.high:g} that it declares"
