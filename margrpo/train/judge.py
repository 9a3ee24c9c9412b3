"""From images to advantages."""

from collections.abc import Callable
from time import sleep
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from margrpo.components.on_failure import Raise
from margrpo.contracts import Advantage, Fallible, OnFailure, Reward
from margrpo.declare import record
from margrpo.errors import MargrpoError, RewardError
from margrpo.plugin.registry import registry
from margrpo.plugin.target import described
from margrpo.records import Prompts, Rollout, Verdict
from margrpo.train.deadline import within

OfAll = Callable[[Tensor], Tensor]
"""From a row for each image of this process to one for each image of the step."""


@record
class Scores:
    """What one reward says: a number for each image, which images have got one, and why others have not."""

    values: Float[Tensor, "b"]
    kept: Bool[Tensor, "b"]
    notes: tuple[str, ...] = ()


def judge(
    rewards: tuple[Reward, ...], advantage: Advantage, rollout: Rollout, of_all: OfAll = lambda rows: rows
) -> Verdict:
    """Every reward, their weighted sum, and the advantages within groups, of all images of the step.

    A group that a reward's policy has dropped takes no part, and has no advantage.
    """
    found = [scores_of(reward, rollout.images, rollout.prompts) for reward in rewards]
    rows = of_all(torch.stack([scores.values for scores in found], dim=1))
    group = of_all(rollout.prompts.group)
    kept = of_all(torch.stack([scores.kept for scores in found]).all(0).long()).bool()
    total = rows @ torch.tensor([reward.weight for reward in rewards], device=rows.device)
    advantages = torch.zeros_like(total)
    if kept.any():
        advantages[kept] = advantage.advantages(total[kept], group[kept])
    notes = tuple(note for scores in found for note in scores.notes)
    return Verdict(rows, total, advantages, reward_names(rewards), group, kept, notes)


def scores_of(reward: Reward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Scores:
    """The scores of all images; where the reward fails and its policy goes on, group by group, without the failed."""
    kept = torch.ones(len(prompts), dtype=torch.bool, device=images.device)
    try:
        return Scores(score(reward, images, prompts), kept)
    except RewardError as error:
        policy_of(reward).give_up(error)
    values, notes = torch.zeros(len(prompts), device=images.device), []
    for each in prompts.group.unique().tolist():
        places = (prompts.group == each).nonzero()[:, 0].tolist()
        try:
            values[places] = score(reward, images[places], prompts.at(places))
        except RewardError as error:
            policy_of(reward).give_up(error)
            kept[places] = False
            notes.append(f"the group of prompt {prompts.text[places[0]]!r} is dropped: {error}")
    return Scores(values, kept, tuple(notes))


def policy_of(reward: Reward) -> OnFailure:
    """What the reward's settings say is done when it fails; a failure is raised where they say nothing."""
    otherwise: Any = Raise()
    chosen = reward.on_failure if isinstance(reward, Fallible) else None
    return chosen or otherwise


def score(reward: Reward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
    """One finite number an image, after as many calls as the policy allows, or `RewardError` with the prompt."""
    policy = policy_of(reward)
    for number in range(policy.attempts):
        try:
            return answer(reward, images, prompts, policy.timeout)
        except RewardError as error:
            failure = error
        if number + 1 < policy.attempts:
            sleep(policy.backoff * 2**number)
    if policy.attempts == 1:
        raise failure
    raise RewardError(f"{failure}, at the last of {policy.attempts} calls") from failure


def answer(
    reward: Reward, images: Float[Tensor, "b 3 h w"], prompts: Prompts, timeout: float | None
) -> Float[Tensor, "b"]:
    """What one call returns, if it is one finite number an image."""
    name, about = f"reward {type(reward).__name__}", f"{len(prompts)} images, the first of prompt {prompts.text[0]!r}"
    try:
        scores = within(timeout, lambda: reward.score(images, prompts))
    except TimeoutError:
        raise RewardError(f"{name}: took longer than {timeout:g} s for {about}") from None
    except MargrpoError as error:
        raise RewardError(f"{name}: {error}") from error
    except Exception as error:
        raise RewardError(f"{name}: raised {described(error)} for {about}") from error
    if not isinstance(scores, Tensor) or scores.shape != (len(prompts),):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise RewardError(f"{name}: returned {shape} for {about}; it must return one number each")
    bad = (~torch.isfinite(scores)).nonzero().flatten().tolist()
    if bad:
        raise RewardError(f"{name}: returned {float(scores[bad[0]])} for prompt {prompts.text[bad[0]]!r}")
    return scores.float().to(images.device)


def reward_names(rewards: tuple[Reward, ...]) -> tuple[str, ...]:
    """The name of each reward in the recipe (its class's, if it is no plugin's), numbered where it occurs twice."""
    registered = {entry.target: entry.name for entry in registry().entries("reward")}
    classes = [type(reward) for reward in rewards]
    names = [registered.get(f"{cls.__module__}:{cls.__qualname__}", cls.__name__) for cls in classes]
    return tuple(name if names.count(name) == 1 else f"{name}_{place}" for place, name in enumerate(names))
