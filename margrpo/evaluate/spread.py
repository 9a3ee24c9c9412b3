"""The spread of a gradient over independent draws, and its comparison under several estimators."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.declare import record


@record
class Spread:
    """Statistics of R independent gradients: |mean|², the trace of their covariance, and R."""

    mean: Float[Tensor, "p"]
    variance: float
    replicates: int

    @property
    def signal_to_noise(self) -> float:
        """|E g|² / tr Cov g of one replicate, both unbiased, so that it can be negative by chance   (`noise_scale`)."""
        signal = float(self.mean.square().sum()) - self.variance / self.replicates
        return signal / self.variance

    def disagreement(self, other: "Spread") -> float:
        """|difference of means| over its standard error if both were independent; about 1 or less if they agree."""
        error = (self.variance + other.variance) / self.replicates
        return float((self.mean - other.mean).square().sum() / error) ** 0.5


@record
class EstimatorComparison:
    """The spread of the gradient under each estimator at one K, on equal chains.

    - `trajectories`: K.
    - `spreads`: the spread under each estimator, by its name; the others are compared with the first.
    """

    trajectories: int
    spreads: Mapping[str, Spread]

    @property
    def ratio(self) -> dict[str, float]:
        """The variance under each other estimator, divided by the variance under the first."""
        first, *others = self.spreads
        return {name: self.spreads[name].variance / self.spreads[first].variance for name in others}

    @property
    def disagreement(self) -> dict[str, float]:
        """The disagreement of means between the first estimator and each other estimator."""
        first, *others = self.spreads
        return {name: self.spreads[first].disagreement(self.spreads[name]) for name in others}


def spread(gradients: Sequence[Float[Tensor, "p"]]) -> Spread:
    """Mean and total variance, unbiased, of gradients that were drawn independently."""
    stacked = torch.stack(list(gradients)).double()
    return Spread(stacked.mean(0), float(stacked.var(0).sum()), len(stacked))
