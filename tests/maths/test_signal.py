import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from margrpo.maths.signal import Moments


def of(gradients: torch.Tensor) -> Moments:
    moments = Moments.none(gradients[0])
    for each in gradients:
        moments = moments + each
    return moments


def test_two_gradients_by_hand() -> None:
    moments = of(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    assert moments.noise == pytest.approx(1.0)  # a variance of 2, by two
    assert moments.signal == pytest.approx(3.0)  # 2² less that
    assert moments.ratio == pytest.approx(3.0)


def test_one_gradient_tells_nothing_and_equal_ones_have_no_noise() -> None:
    assert math.isnan(of(torch.ones(1, 3)).ratio)
    assert of(torch.ones(4, 3)).noise == 0
    assert of(torch.ones(4, 3)).ratio == math.inf
    assert of(torch.zeros(4, 3)).ratio == 0


@given(st.integers(0, 100), st.integers(2, 6))
def test_the_parts_of_a_batch_say_together_what_the_whole_says(seed: int, count: int) -> None:
    gradients = torch.randn(count + 2, 5, generator=torch.Generator().manual_seed(seed))
    whole, joined = of(gradients), of(gradients[:2]).joined(of(gradients[2:]))
    assert joined.noise == pytest.approx(whole.noise)
    assert joined.signal == pytest.approx(whole.signal)
    assert whole.noise == pytest.approx(float(gradients.double().var(0).sum()) / (count + 2))


def test_signal_and_noise_are_unbiased() -> None:
    """Over 4000 batches; each mean is within 5 of its standard errors of the truth, 6 in 10 million by chance."""
    generator, truth = torch.Generator().manual_seed(0), torch.tensor([0.3, -0.2, 0.1])
    found = [of(truth + torch.randn(4, 3, generator=generator)) for _ in range(4000)]
    for values, expected in (
        ([each.signal for each in found], float(truth.square().sum())),
        ([each.noise for each in found], 3 / 4),
    ):
        sample = torch.tensor(values)
        assert abs(float(sample.mean()) - expected) < 5 * float(sample.std()) / 4000**0.5
