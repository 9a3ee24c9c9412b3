"""Means with intervals, and tests of the difference of two policies on equal prompts and noise."""

from typing import Any

import numpy as np

from margrpo.declare import record

RESAMPLES = 10_000


@record
class Mean:
    """A mean over `prompts` prompts with its 95 % interval, None if the values do not determine one."""

    mean: float
    low: float | None
    high: float | None
    prompts: int


@record
class Change:
    """The mean of paired differences with its 95 % interval, None if the differences do not determine one.

    `p` is the two-sided p-value of the permutation test that swaps the values within pairs.
    """

    mean: float
    low: float | None
    high: float | None
    p: float
    prompts: int


def mean(values: np.ndarray, seed: int = 0, *, shares: bool = False) -> Mean:
    """The mean over prompts, with Wilson's interval if the values are `shares` of yes, else with that of `interval`."""
    low, high = wilson(values) if shares else interval(values, seed)
    return Mean(float(values.mean()), low, high, len(values))


def change(before: np.ndarray, after: np.ndarray, seed: int = 0) -> Change:
    """The change from `before` to `after`, prompt by prompt."""
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
    """The 95 % interval of a share of yes   (E. B. Wilson 1927); it has a width even if all are yes, or all are no."""
    from scipy.stats import binomtest

    found = binomtest(int(values.sum()), len(values)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def interval(values: np.ndarray, seed: int) -> tuple[float, float] | tuple[None, None]:
    """The 95 % bootstrap interval of the mean: percentiles over resampled prompts, a function of `seed`.

    It is None for a single value and for equal values, which do not show how much values vary.
    """
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return None, None
    found = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=RESAMPLES, batch=1000, rng=np.random.default_rng(seed)
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
