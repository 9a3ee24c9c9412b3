import pytest
import torch

from margrpo.components.objective import Clipped, OnPolicy
from margrpo.declare import SettingError


def test_on_policy_ignores_the_old_log_probabilities():
    logp, advantage = torch.zeros(1, 2), torch.tensor([2.0, -1.0])
    assert torch.equal(OnPolicy().surrogate(logp, logp + 5, advantage), advantage[None])
    assert OnPolicy().updates == 1


def test_clipped_compares_with_the_old_ones():
    old, advantage = torch.zeros(1, 2), torch.tensor([2.0, -1.0])
    found = Clipped(clip=0.5).surrogate(torch.tensor([[1.0, -1.0]]), old, advantage)
    assert torch.allclose(found, torch.tensor([[3.0, -0.5]]))  # ratios e and 1/e, clipped to 1.5 and 0.5


def test_a_clip_of_zero_is_refused():
    with pytest.raises(SettingError, match=r"clip = 0\.0 must be greater than 0"):
        Clipped(clip=0.0)
