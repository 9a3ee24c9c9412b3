import pytest
import torch
from hypothesis import given, settings

from margrpo.evaluate.spread import EstimatorComparison, Spread, spread
from margrpo.testing.strategies import seeds


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds)
def test_a_spread_is_the_mean_and_the_trace_of_the_covariance(seed: int):
    samples = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed))
    found = spread(list(samples))
    assert torch.allclose(found.mean.float(), samples.mean(0), atol=1e-6)
    assert found.variance == pytest.approx(float(torch.cov(samples.T).trace()), rel=1e-4)
    assert found.replicates == 7


def test_signal_to_noise_by_hand():
    # |mean|² = 25, less 16/4 for the noise in it: 21; over a variance of 16
    assert Spread(torch.tensor([3.0, 4.0]), 16.0, 4).signal_to_noise == pytest.approx(21 / 16)
    assert Spread(torch.tensor([0.1, 0.0]), 16.0, 4).signal_to_noise == pytest.approx((0.01 - 4) / 16)


def test_every_other_estimator_is_compared_with_the_first():
    # errors: √((8 + 4)/3) = 2 and √((8 + 16)/3) = √8; distances of means 5 and 4
    first, second = Spread(torch.tensor([0.0, 0.0]), 8.0, 3), Spread(torch.tensor([3.0, 4.0]), 4.0, 3)
    third = Spread(torch.tensor([0.0, 4.0]), 16.0, 3)
    found = EstimatorComparison(1, {"one": first, "two": second, "three": third})
    assert found.ratio == {"two": 0.5, "three": 2.0}
    assert found.disagreement == pytest.approx({"two": 2.5, "three": 2**0.5})
