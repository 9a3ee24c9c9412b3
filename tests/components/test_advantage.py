import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from margrpo.components.advantage import Decoupled, Group, LeaveOneOut, Unscaled
from margrpo.contracts import Advantage
from margrpo.declare import SettingError
from margrpo.testing.strategies import grouped_rewards

TWO = torch.tensor([1.0, 3.0, 5.0, 5.0])
GROUPS = torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("advantage", "found"),
    [
        (Group(eps=1.0), [-1 / (2**0.5 + 1), 1 / (2**0.5 + 1), 0, 0]),
        (LeaveOneOut(), [-2.0, 2.0, 0, 0]),
        (Unscaled(), [-1.0, 1.0, 0, 0]),
        (Decoupled(of=Unscaled()), [-1.0, 1.0, 0, 0]),
    ],
)
def test_two_groups_by_hand(advantage: Advantage, found: list[float]):
    assert torch.allclose(advantage.advantages(TWO[:, None], torch.ones(1), GROUPS), torch.tensor(found))


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards())
def test_a_better_image_of_a_group_never_has_a_smaller_advantage(drawn: tuple[Tensor, Tensor]):
    reward, group = drawn
    for advantage in (Group(), LeaveOneOut(), Unscaled(), Decoupled()):
        found = advantage.advantages(reward[:, None], torch.ones(1), group)
        for one in group.unique():
            order = reward[group == one].argsort()
            assert bool((found[group == one][order].diff() >= -1e-6).all())


def test_an_eps_of_zero_is_refused():
    with pytest.raises(SettingError, match=r"eps = 0\.0 must be greater than 0"):
        Group(eps=0.0)


BOTH = torch.tensor([[1.0, 100.0], [3.0, 0.0], [5.0, 300.0], [5.0, 100.0]])


@pytest.mark.parametrize(
    ("advantage", "found"),
    [
        # 2 r₀ + 1 r₁ is 102, 6, 310, 110
        (Unscaled(), [48.0, -48.0, 100.0, -100.0]),
        (LeaveOneOut(), [96.0, -96.0, 200.0, -200.0]),
        (Decoupled(of=Unscaled()), [2 * -1.0 + 50.0, 2 * 1.0 - 50.0, 100.0, -100.0]),
        # either reward's std is |difference|/√2: whatever its unit, two images get ∓1/√2 from it
        (Decoupled(of=Group(eps=1e-9)), [-(2 - 1) / 2**0.5, (2 - 1) / 2**0.5, 1 / 2**0.5, -1 / 2**0.5]),
    ],
)
def test_two_rewards_by_hand(advantage: Advantage, found: list[float]):
    assert torch.allclose(advantage.advantages(BOTH, torch.tensor([2.0, 1.0]), GROUPS), torch.tensor(found), atol=1e-4)


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards(), scale=st.sampled_from((1e-2, 1.0, 1e3)))
def test_decoupled_does_not_mind_in_which_unit_a_reward_is_told(drawn: tuple[Tensor, Tensor], scale: float):
    reward, group = drawn
    rewards, weights = torch.stack([reward, reward.flip(0)], dim=1), torch.tensor([1.0, 1.0])
    tight = Decoupled(of=Group(eps=1e-12))
    found = tight.advantages(rewards, weights, group)
    assert torch.allclose(tight.advantages(rewards * torch.tensor([scale, 1.0]), weights, group), found, atol=1e-3)
