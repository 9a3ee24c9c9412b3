"""The self-test of a reward: the scores of its own cases, and its speed."""

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
"""Number of images that are scored at once to measure the time."""


@record
class CaseResult:
    """The score of a case."""

    case: Case
    score: float

    @property
    def holds(self) -> bool:
        """Whether the score is in the range of the case."""
        return self.case.low <= self.score <= self.case.high


@record
class SelfTest:
    """The result of a reward's self-test.

    - `cases`: result of each case.
    - `seconds`: median seconds per image; None if the reward has no cases and cannot score noise.
    - `images`: number of images that were scored at once.
    - `times`: number of measurements.
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
    """An image of noise, for a reward without cases."""
    noise = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    return Case("noise", noise, Prompt('a sign that says "noise"', 0), -torch.inf, torch.inf)


def seconds_per_image(reward: BuiltReward, case: Case, device: str) -> float:
    """Median seconds per image, after a call that does not count."""
    images = case.image.to(device).expand(TOGETHER, -1, -1, -1)
    prompts, taken = grouped([case.prompt], TOGETHER), []
    for _ in range(TIMES + 1):
        clock = perf_counter()
        score(reward, images, prompts)
        taken.append(perf_counter() - clock)
    return median(taken[1:]) / TOGETHER
