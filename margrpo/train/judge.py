"""From images to advantages."""

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Advantage, Reward
from margrpo.errors import RewardError
from margrpo.plugin.registry import registry
from margrpo.records import Prompts, Rollout, Verdict


def score(reward: Reward, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
    """One finite number an image, or `RewardError` with the prompt that got none."""
    name, scores = type(reward).__name__, reward.score(images, prompts)
    if not isinstance(scores, Tensor) or scores.shape != (len(prompts),):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise RewardError(f"reward {name}: returned {shape} for {len(prompts)} images; it must return one number each")
    bad = (~torch.isfinite(scores)).nonzero().flatten().tolist()
    if bad:
        raise RewardError(f"reward {name}: returned {float(scores[bad[0]])} for prompt {prompts.text[bad[0]]!r}")
    return scores.float().to(images.device)


def judge(rewards: tuple[Reward, ...], advantage: Advantage, rollout: Rollout) -> Verdict:
    """Every reward, their weighted sum, and the advantages within groups."""
    scores = torch.stack([score(reward, rollout.images, rollout.prompts) for reward in rewards], dim=1)
    weights = torch.tensor([reward.weight for reward in rewards], device=scores.device)
    total = scores @ weights
    return Verdict(scores, total, advantage.advantages(total, rollout.prompts.group), reward_names(rewards))


def reward_names(rewards: tuple[Reward, ...]) -> tuple[str, ...]:
    """The name of each reward in the recipe (its class's, if it is no plugin's), numbered where it occurs twice."""
    registered = {entry.target: entry.name for entry in registry().entries("reward")}
    classes = [type(reward) for reward in rewards]
    names = [registered.get(f"{cls.__module__}:{cls.__qualname__}", cls.__name__) for cls in classes]
    return tuple(name if names.count(name) == 1 else f"{name}_{place}" for place, name in enumerate(names))
