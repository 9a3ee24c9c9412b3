import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from margrpo.maths.groups import centred, deviation, leave_one_out, standardised
from margrpo.testing.strategies import grouped_rewards
from tests.golden.reading import allowed, largest_difference, recorded

GOLDEN = recorded("group_advantages")


@pytest.mark.golden("group_advantages")
@pytest.mark.parametrize("branch", ["sum", "geneval"])
@pytest.mark.parametrize(("case", "size"), [("p3g4f1", 4), ("p2g8f3", 8), ("p1g2f1", 2)])
def test_standardised_rewards_are_those_of_the_release(case: str, size: int, branch: str):
    # The "geneval" branch of the release drops a reward that is constant over the batch: that shifts all, and no more.
    scores, theirs = GOLDEN[f"{case}.rewards_per_func"], recorded("group_advantages", f"{case}.{branch}.")
    total, group = scores.sum(1), torch.arange(len(scores)) // size
    dropped = scores[0, scores.std(0) <= 1e-6].sum() if branch == "geneval" else 0.0
    found = {"rewards": total - dropped, "advantages": standardised(total, group), "std": deviation(total, group)}
    for key, ours in found.items():
        assert largest_difference(ours, theirs[key]) <= allowed("group_advantages", f"{case}.{branch}.{key}"), key


@pytest.mark.golden("group_advantages")
def test_a_batch_of_equal_rewards_has_the_releases_advantages_and_std_of_zero():
    theirs = recorded("group_advantages", "allconst.")
    reward, group = theirs["rewards_per_func"].sum(1), torch.zeros(8, dtype=torch.long)
    assert torch.equal(standardised(reward, group), theirs["geneval.advantages"])
    assert torch.equal(deviation(reward, group), theirs["geneval.std"])


def test_two_rewards_by_hand():
    # mean 2, unbiased std √2
    found = standardised(torch.tensor([1.0, 3.0]), torch.tensor([0, 0]))
    assert torch.allclose(found, torch.tensor([-1.0, 1.0]) / (2**0.5 + 1e-4))


def test_leave_one_out_by_hand():
    found = leave_one_out(torch.tensor([1.0, 10.0, 3.0, 8.0, 20.0]), torch.tensor([0, 1, 0, 0, 1]))
    # 1 − (3 + 8)/2, 10 − 20, 3 − (1 + 8)/2, 8 − (1 + 3)/2, 20 − 10
    assert torch.allclose(found, torch.tensor([-4.5, -10.0, -1.5, 6.0, 10.0]))


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards())
def test_leave_one_out_is_the_reward_less_the_mean_of_the_others(drawn: tuple[Tensor, Tensor]):
    reward, group = drawn
    others = [reward[(group == group[i]) & (torch.arange(len(group)) != i)].mean() for i in range(len(group))]
    assert torch.allclose(leave_one_out(reward, group), reward - torch.stack(others), atol=1e-4)


@settings(derandomize=True, deadline=None)
@given(value=st.floats(-1e4, 1e4, width=32), size=st.integers(1, 9))
def test_equal_rewards_give_exactly_zero(value: float, size: int):
    reward, group = torch.full((size,), value), torch.zeros(size, dtype=torch.long)
    for advantage in (standardised, leave_one_out, centred):
        assert torch.equal(advantage(reward, group), torch.zeros(size))


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards())
def test_advantages_of_a_group_sum_to_zero_and_know_nothing_of_other_groups(drawn: tuple[Tensor, Tensor]):
    reward, group = drawn
    for advantage in (standardised, leave_one_out, centred):
        found = advantage(reward, group)
        for one in group.unique():
            mine = group == one
            alone = advantage(reward[mine], torch.zeros(int(mine.sum()), dtype=torch.long))
            assert torch.allclose(found[mine], alone, rtol=1e-3, atol=1e-4)
            assert abs(float(found[mine].sum())) < 1e-3


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards(), shift=st.integers(-8, 8))
def test_a_shift_of_all_rewards_changes_no_advantage(drawn: tuple[Tensor, Tensor], shift: int):
    reward, group = (drawn[0] * 4).round() / 4, drawn[1]  # on a grid that a shift keeps exactly
    for advantage in (standardised, leave_one_out, centred):
        assert torch.allclose(advantage(reward + shift, group), advantage(reward, group), atol=1e-3)


@settings(derandomize=True, deadline=None)
@given(drawn=grouped_rewards(), factor=st.sampled_from((0.5, 2.0, 8.0)))
def test_a_factor_on_all_rewards_scales_all_but_the_standardised(drawn: tuple[Tensor, Tensor], factor: float):
    reward, group = drawn
    for advantage in (leave_one_out, centred):
        assert torch.allclose(advantage(factor * reward, group), factor * advantage(reward, group), atol=1e-4)
    scaled = standardised(factor * reward, group, eps=factor * 1e-4)
    assert torch.allclose(scaled, standardised(reward, group, eps=1e-4), atol=1e-4)
