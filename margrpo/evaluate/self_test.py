"""Whether a reward scores the pictures that it ships as it says, and how long it takes."""

from collections.abc import Sequence
from statistics import median
from time import perf_counter

import torch

from margrpo.contracts import Reward, ShipsCases
from margrpo.declare import record
from margrpo.errors import RewardError
from margrpo.records import Case, Prompt, grouped
from margrpo.train.verdict.judge import of_data, score
from margrpo.train.verdict.scorers import BuiltReward, build_rewards

TIMES = 5
TOGETHER = 8
"""Images that are scored at once for the time."""


@record
class CaseResult:
    """What a picture scored."""

    case: Case
    score: float

    @property
    def holds(self) -> bool:
        """Whether it is what the reward says."""
        return self.case.low <= self.score <= self.case.high


@record
class SelfTest:
    """A reward's cases, and the median seconds for an image of so many scored at once.

    There are none of one that ships no cases and cannot score noise.
    """

    name: str
    cases: Sequence[CaseResult]
    seconds: float | None
    images: int
    times: int = TIMES


def self_test(reward: Reward, device: str = "cpu") -> SelfTest:
    """Score a reward's cases, one by one, and measure."""
    (built,) = build_rewards((reward,), device)
    cases = list(reward.cases()) if isinstance(reward, ShipsCases) else []
    results = [
        CaseResult(case, float(score(built, case.image[None].to(device), grouped([case.prompt], 1)))) for case in cases
    ]
    try:
        seconds: float | None = seconds_per_image(built, cases[0] if cases else unknown(), device)
    except RewardError as error:
        if cases or not of_data(error):
            raise
        seconds = None  # the prompt of the noise lacks what it reads
    return SelfTest(built.name, results, seconds, TOGETHER)


def unknown() -> Case:
    """A picture of noise for a reward that ships none."""
    noise = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    return Case("noise", noise, Prompt('a sign that says "noise"', 0), -torch.inf, torch.inf)


def seconds_per_image(reward: BuiltReward, case: Case, device: str) -> float:
    """Median seconds an image, after a call that does not count."""
    images = case.image.to(device).expand(TOGETHER, -1, -1, -1)
    prompts, taken = grouped([case.prompt], TOGETHER), []
    for _ in range(TIMES + 1):
        clock = perf_counter()
        score(reward, images, prompts)
        taken.append(perf_counter() - clock)
    return median(taken[1:]) / TOGETHER
