import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths.surrogate import clipped, on_policy

finite = st.floats(-3, 3, width=32)


@settings(derandomize=True, deadline=None)
@given(logp=finite, advantage=finite)
def test_on_policy_is_worth_the_advantage_and_has_the_policy_gradient(logp: float, advantage: float):
    leaf = torch.full((2, 3), logp, requires_grad=True)
    value = on_policy(leaf, torch.full((3,), advantage))
    value.sum().backward()
    assert torch.equal(value, torch.full((2, 3), advantage))
    assert torch.equal(leaf.grad, torch.full((2, 3), advantage))


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        (1.0, 2.0, 2.0, 2.0),
        (1.1, 2.0, 2.2, 2.2),
        (1.5, 2.0, 2.4, 0.0),
        (0.5, 2.0, 1.0, 1.0),
        (0.5, -2.0, -1.6, 0.0),
        (1.5, -2.0, -3.0, -3.0),
    ],
)
def test_the_clipped_ratio_by_hand(ratio: float, advantage: float, value: float, slope: float):
    leaf = torch.tensor([[ratio]]).log().requires_grad_()
    found = clipped(leaf, torch.zeros(1, 1), torch.tensor([advantage]), 0.2)
    found.sum().backward()
    assert torch.allclose(found, torch.tensor([[value]]), atol=1e-6)
    assert torch.allclose(leaf.grad, torch.tensor([[slope]]), atol=1e-6)


@settings(derandomize=True, deadline=None)
@given(logp=finite, advantage=finite)
def test_an_unmoved_policy_has_the_same_gradient_clipped_or_not(logp: float, advantage: float):
    leaf = torch.full((1, 1), logp, requires_grad=True)
    clipped(leaf, leaf.detach().clone(), torch.tensor([advantage]), 0.2).sum().backward()
    assert torch.allclose(leaf.grad, torch.full((1, 1), advantage))


def test_the_old_log_probabilities_carry_no_gradient():
    old = torch.zeros(1, 1, requires_grad=True)
    clipped(torch.zeros(1, 1, requires_grad=True), old, torch.ones(1), 0.2).sum().backward()
    assert old.grad is None


@pytest.mark.parametrize("advantage", [1.0, -1.0])
def test_a_ratio_too_large_for_float32_leaves_a_finite_gradient(advantage: float):
    leaf = torch.tensor([[100.0, 0.0]], requires_grad=True)
    clipped(leaf, torch.zeros(1, 2), torch.full((2,), advantage), 0.2).sum().backward()
    assert torch.equal(leaf.grad, torch.tensor([[0.0, advantage]]))
