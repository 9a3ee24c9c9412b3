"""Means with intervals, and whether two policies differ, on the same prompts and noise."""

from typing import Any

import numpy as np

from margrpo.declare import record

RESAMPLES = 10_000


@record
class Mean:
    """A mean over so many prompts with its 95 % interval, where the values tell one."""

    mean: float
    low: float | None
    high: float | None
    prompts: int


@record
class Change:
    """The mean of paired differences with its 95 % interval, where they tell one, and how likely one so large is.

    `p` is that by chance alone, two-sided, of the permutation test that swaps the two within pairs.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    prompts: int


def mean(values: np.ndarray, seed: int = 0, *, shares: bool = False) -> Mean:
    """The mean over prompts, with Wilson's interval where it is one of `shares` of yes, else that of `interval`."""
    low, high = wilson(values) if shares else interval(values, seed)
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


def wilson(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a share of yes   (E. B. Wilson 1927); it has a width where all are yes, or all are no."""
    from scipy.stats import binomtest

    found = binomtest(int(values.sum()), len(values)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def interval(values: np.ndarray, seed: int) -> tuple[float, float] | tuple[None, None]:
    """The 95 % bootstrap interval of the mean: percentiles over resampled prompts, the same for the same seed.

    There is none of one value, or of values that are all equal: they do not tell how far others would lie.
    """
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return None, None
    found = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=RESAMPLES, batch=1000, rng=np.random.default_rng(seed)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
