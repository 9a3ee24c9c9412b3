"""Means with intervals, and whether two policies differ, on the same prompts and noise."""

from typing import Any

import numpy as np

from margrpo.declare import record

RESAMPLES = 10_000


@record
class Mean:
    """A mean over so many prompts with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    prompts: int


@record
class Change:
    """The mean of paired differences with its 95 % bootstrap interval, and how likely so large a one is by chance.

    `p` is two-sided, of the permutation test that swaps the two within pairs.
    """

    mean: float
    low: float
    high: float
    p: float
    prompts: int


def mean(values: np.ndarray, seed: int = 0) -> Mean:
    """The mean over prompts; percentiles of the means of resampled prompts, the same for the same seed."""
    low, high = interval(values, seed)
    return Mean(float(values.mean()), low, high, len(values))


def change(before: np.ndarray, after: np.ndarray, seed: int = 0) -> Change:
    """What has changed from before to after, prompt by prompt."""
    from scipy.stats import permutation_test

    gaps = after - before
    low, high = interval(gaps, seed)
    p = 1.0
    if len(gaps) > 1 and gaps.any():
        found: Any = permutation_test(
            (after, before),
            lambda x, y, axis: (x - y).mean(axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=1000,
            rng=np.random.default_rng(seed),
        )
        p = float(found.pvalue)
    return Change(float(gaps.mean()), low, high, p, len(gaps))


def interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean; of one value, or equal ones, that value."""
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    found = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=RESAMPLES, batch=1000, rng=np.random.default_rng(seed)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
