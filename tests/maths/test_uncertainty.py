import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths.uncertainty import largest, share, uncertainty
from margrpo.testing.strategies import seeds


def test_uncertainty_by_hand():
    # Channel 0: 0 and 2, std 1; channel 1: 5 and 5, std 0; unbiased they would be √2 and 0.
    samples = torch.tensor([[[0.0, 5.0]], [[2.0, 5.0]]])
    assert torch.allclose(uncertainty(samples), torch.tensor([0.5]))


@settings(derandomize=True, deadline=None)
@given(seed=seeds, k=st.integers(1, 6))
def test_uncertainty_grows_with_the_spread_and_not_with_the_place(seed: int, k: int):
    samples = torch.randn(k, 4, 3, generator=torch.Generator().manual_seed(seed))
    found = uncertainty(samples)
    assert torch.allclose(uncertainty(samples * 2 + 3), 2 * found, atol=1e-5)
    assert (k > 1) == bool((found > 0).all())


@settings(derandomize=True, deadline=None)
@given(hundredths=st.integers(1, 100), tokens=st.integers(1, 1100))
def test_a_share_is_the_whole_part_of_the_decimal_fraction(hundredths: int, tokens: int):
    assert share(hundredths / 100, tokens) == max(1, hundredths * tokens // 100)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, count=st.integers(1, 7))
def test_the_largest_are_as_many_as_asked_for_and_none_outside_is_larger(seed: int, count: int):
    score = torch.randn(3, 7, generator=torch.Generator().manual_seed(seed))
    chosen = largest(score, count)
    assert chosen.sum(1).tolist() == [count] * 3
    for row, mask in zip(score, chosen, strict=True):
        assert count == 7 or row[mask].min() > row[~mask].max()
