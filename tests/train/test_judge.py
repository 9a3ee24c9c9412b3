import pytest
import torch
from torch import Tensor

from margrpo.components.advantage import Group, LeaveOneOut
from margrpo.components.reward.brightness import Brightness
from margrpo.declare import component
from margrpo.errors import RewardError
from margrpo.maths.groups import leave_one_out
from margrpo.records import Prompts
from margrpo.testing import small
from margrpo.train.judge import judge, reward_names, score


@component
class Given:
    """A reward that returns what it was given."""

    scores: object
    weight: float = 1.0

    def score(self, images: Tensor, prompts: Prompts) -> object:
        """The given scores."""
        return self.scores


ROLLOUT = small.rollout(small.pipeline(), trajectories=0)


def test_the_total_is_the_weighted_sum_and_advantages_are_of_the_total():
    first, second = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([10.0, 0.0, 0.0, 0.0])
    verdict = judge((Given(scores=first, weight=2.0), Given(scores=second, weight=-1.0)), LeaveOneOut(), ROLLOUT)
    assert torch.equal(verdict.rewards, torch.stack([first, second], dim=1))
    assert verdict.total.tolist() == [-8.0, 4.0, 6.0, 8.0]
    assert torch.equal(verdict.advantages, leave_one_out(verdict.total, ROLLOUT.prompts.group))
    assert verdict.advantages.tolist() == [-12.0, 12.0, -2.0, 2.0]


def test_a_real_reward_sees_the_images():
    verdict = judge((Brightness(),), Group(), ROLLOUT)
    assert torch.allclose(verdict.total, Brightness().score(ROLLOUT.images, ROLLOUT.prompts))
    assert verdict.names == ("brightness",)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (torch.tensor([1.0, float("nan"), 1.0, 1.0]), "reward Given: returned nan for prompt 'a red circle'"),
        (torch.tensor([1.0, 1.0, float("inf"), 1.0]), "reward Given: returned inf for prompt 'two blue squares'"),
        (torch.ones(3), r"reward Given: returned \(3,\) for 4 images; it must return one number each"),
        (torch.ones(4, 1), r"returned \(4, 1\) for 4 images"),
        ([1.0, 1.0, 1.0, 1.0], "returned list for 4 images"),
    ],
)
def test_what_is_no_reward_is_refused_and_never_scored_zero(scores: object, said: str):
    with pytest.raises(RewardError, match=said):
        score(Given(scores=scores), ROLLOUT.images, ROLLOUT.prompts)


def test_whole_numbers_are_taken_as_scores():
    assert score(Given(scores=torch.tensor([1, 0, 2, 3])), ROLLOUT.images, ROLLOUT.prompts).tolist() == [1, 0, 2, 3]


def test_rewards_are_named_as_in_the_recipe_and_two_of_a_name_are_told_apart():
    assert reward_names((Brightness(), Given(scores=1), Brightness())) == ("brightness_0", "Given", "brightness_2")
