"""The figures of the rewards of a step."""

from itertools import combinations
from math import isfinite

from jaxtyping import Float, Int
from torch import Tensor

from margrpo.maths import groups
from margrpo.records import Verdict
from margrpo.train.verdict.scorers import BuiltReward, Scorers


def reward_figures(verdict: Verdict, scorers: Scorers) -> dict[str, float]:
    """The figures of a step's rewards, without dropped groups; NaN if all groups were dropped."""
    kept = verdict.kept
    total, group = verdict.total[kept], verdict.group[kept]
    figures = {
        "reward": float(total.mean()),
        "live_groups": float((verdict.advantages[kept] != 0).float().mean()),
        "dropped_groups": len(verdict.group[~kept].unique()),
    }
    for reward, scores in zip(scorers, verdict.rewards[kept].unbind(1), strict=True):
        figures |= figures_of(reward, scores)
    if len(group):
        figures |= agreement(scorers, verdict.rewards[kept], verdict.advantages[kept], group)
    return figures


def figures_of(reward: BuiltReward, scores: Float[Tensor, "b"]) -> dict[str, float]:
    """The mean of one reward, and its place in the range that the reward declares, from 0 to 1."""
    mean, low, high = float(scores.mean()), reward.traits.low, reward.traits.high
    ranged = isfinite(low) and isfinite(high)
    normalised = {f"reward_normalised/{reward.name}": (mean - low) / (high - low)} if ranged else {}
    return {f"reward/{reward.name}": mean, **normalised}


def agreement(
    scorers: Scorers, rewards: Float[Tensor, "b r"], advantages: Float[Tensor, "b"], group: Int[Tensor, "b"]
) -> dict[str, float]:
    """The std of each reward within a prompt, its correlation with the advantage, and correlations of rewards."""
    columns = dict(zip([reward.name for reward in scorers], rewards.unbind(1), strict=True))
    figures = {f"reward_std/{name}": float(groups.deviation(x, group).mean()) for name, x in columns.items()}
    figures |= {f"reward_pull/{name}": float(groups.correlation(x, advantages, group)) for name, x in columns.items()}
    for (first, x), (second, y) in combinations(columns.items(), 2):
        figures[f"reward_correlation/{first}/{second}"] = float(groups.correlation(x, y, group))
    return figures
