import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.optimizer import AdamW
from margrpo.declare import SettingError


@settings(derandomize=True, deadline=None)
@given(steps=st.integers(1, 50), warmup=st.integers(0, 20), last=st.floats(0, 1))
def test_the_rate_stays_between_nothing_and_lr_and_ends_at_its_share(steps: int, warmup: int, last: float):
    optimizer = AdamW(lr=0.5, warmup=warmup, last=last)
    rates = [optimizer.rate(step, steps) for step in range(steps)]
    assert all(0 <= rate <= 0.5 + 1e-12 for rate in rates)
    risen = rates[warmup:]
    assert risen == sorted(risen, reverse=True)
    if steps > max(warmup, 1):
        assert rates[-1] == pytest.approx(0.5 * last)


def test_rates_by_hand():
    assert [AdamW(lr=2.0).rate(step, 5) for step in range(5)] == [2.0] * 5
    assert [AdamW(lr=3.0, warmup=2).rate(step, 9) for step in range(4)] == pytest.approx([1.0, 2.0, 3.0, 3.0])
    assert [AdamW(lr=1.0, last=0.0).rate(step, 3) for step in range(3)] == pytest.approx([1.0, 0.5, 0.0])


def test_the_first_step_of_adam_is_the_rate_against_the_sign_of_the_gradient():
    value = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    optimizer = AdamW(lr=0.25, weight_decay=0.5).build([value])
    value.grad = torch.tensor([3.0, -0.1])
    optimizer.step()
    # decay first: 1 − 0.25 · 0.5; then ∓ 0.25
    assert torch.allclose(value.detach(), torch.tensor([0.625, 1.125]), atol=1e-5)


def test_a_rate_of_zero_is_refused():
    with pytest.raises(SettingError, match=r"lr = 0\.0 must be greater than 0"):
        AdamW(lr=0.0)
