import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from margrpo.components.advantage import Group, LeaveOneOut, Unscaled
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
    ],
)
def test_two_groups_by_hand(advantage: Group | LeaveOneOut | Unscaled, found: list[float]):
    assert torch.allclose(advantage.advantages(TWO, GROUPS), torch.tensor(found))


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards())
def test_a_better_image_of_a_group_never_has_a_smaller_advantage(drawn: tuple[Tensor, Tensor]):
    reward, group = drawn
    for advantage in (Group(), LeaveOneOut(), Unscaled()):
        found = advantage.advantages(reward, group)
        for one in group.unique():
            order = reward[group == one].argsort()
            assert bool((found[group == one][order].diff() >= -1e-6).all())


def test_an_eps_of_zero_is_refused():
    with pytest.raises(SettingError, match=r"eps = 0\.0 must be greater than 0"):
        Group(eps=0.0)
