import math
import re
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from torch import Tensor

from margrpo.components.advantage import Decoupled, Group, LeaveOneOut, Unscaled
from margrpo.components.on_failure import DropGroup, Raise, Retry
from margrpo.components.reward.brightness import Brightness
from margrpo.contracts import Reward
from margrpo.declare import component
from margrpo.errors import DataError, RewardError
from margrpo.maths.groups import leave_one_out
from margrpo.records import Prompt, Prompts, Traits, grouped
from margrpo.testing import small
from margrpo.train.verdict.figures import reward_figures
from margrpo.train.verdict.judge import judge, score
from margrpo.train.verdict.scorers import Scorers, build_rewards, reward_names
from margrpo.train.watch.held_out import validate


@component
class Given:
    """A reward that returns what it was given."""

    scores: object
    weight: float = 1.0
    traits: Traits = Traits()

    def build(self, device: str) -> Any:
        """Nothing is to be loaded."""
        return self

    def score(self, images: Tensor, prompts: Prompts) -> object:
        """The given scores."""
        return self.scores


ROLLOUT = small.rollout(small.pipeline(), trajectories=0)


def scorers(*rewards: Any) -> Scorers:
    return build_rewards(rewards, "cpu")


def test_the_total_is_the_weighted_sum_and_advantages_are_of_the_total():
    first, second = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([10.0, 0.0, 0.0, 0.0])
    verdict = judge(scorers(Given(scores=first, weight=2.0), Given(scores=second, weight=-1.0)), LeaveOneOut(), ROLLOUT)
    assert torch.equal(verdict.rewards, torch.stack([first, second], dim=1))
    assert verdict.total.tolist() == [-8.0, 4.0, 6.0, 8.0]
    assert torch.equal(verdict.advantages, leave_one_out(verdict.total, ROLLOUT.prompts.group))
    assert verdict.advantages.tolist() == [-12.0, 12.0, -2.0, 2.0]


def test_a_real_reward_sees_the_images():
    verdict = judge(scorers(Brightness()), Group(), ROLLOUT)
    assert torch.allclose(verdict.total, Brightness().score(ROLLOUT.images, ROLLOUT.prompts))
    assert verdict.names == ("brightness",)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (torch.tensor([1.0, float("nan"), 1.0, 1.0]), "reward Given: returned nan for prompt 'a red circle'"),
        (torch.tensor([1.0, 1.0, float("inf"), 1.0]), "reward Given: returned inf for prompt 'two blue squares'"),
        (
            torch.ones(3),
            r"reward Given: returned \(3,\) for 4 images, the first of prompt 'a red circle'; it must return one",
        ),
        (torch.ones(4, 1), r"returned \(4, 1\) for 4 images"),
        ([1.0, 1.0, 1.0, 1.0], "returned list for 4 images"),
    ],
)
def test_what_is_no_reward_is_refused_and_never_scored_zero(scores: object, said: str):
    with pytest.raises(RewardError, match=said):
        score(*scorers(Given(scores=scores)), ROLLOUT.images, ROLLOUT.prompts)


def test_whole_numbers_are_taken_as_scores():
    assert score(*scorers(Given(scores=torch.tensor([1, 0, 2, 3]))), ROLLOUT.images, ROLLOUT.prompts).tolist() == [
        1,
        0,
        2,
        3,
    ]


def test_rewards_are_named_as_in_the_recipe_and_two_of_a_name_are_told_apart():
    assert reward_names((Brightness(), Given(scores=1), Brightness())) == ("brightness_0", "Given", "brightness_2")


@component
class Failing:
    """A reward that fails for some prompts, some times, in some way; otherwise each image earns its place."""

    how: str = "raises"
    prompt: str = ""
    times: int = 1000
    weight: float = 1.0
    on_failure: object = None
    traits: Traits = Traits()

    def build(self, device: str) -> Any:
        return self

    def score(self, images: Tensor, prompts: Prompts) -> object:
        calls = self.__dict__.setdefault("calls", [])
        calls.append(prompts.text)
        fine = torch.arange(len(prompts)).float()
        if len(calls) > self.times or not any(self.prompt in text for text in prompts.text):
            return fine
        if self.how == "raises":
            raise ConnectionError("the server is away")
        if self.how == "hangs":
            Event().wait()
        return {"list": fine.tolist(), "few": fine[:1], "nan": torch.full_like(fine, torch.nan)}[self.how]


HOWS = {
    "raises": "raised ConnectionError: the server is away for 4 images, the first of prompt 'a red circle'",
    "hangs": "took longer than 0.05 s for 4 images, the first of prompt 'a red circle'",
    "list": "returned list for 4 images, the first of prompt 'a red circle'; it must return one number per image",
    "few": r"returned \(1,\) for 4 images, the first of prompt 'a red circle'; it must return one number per image",
    "nan": "returned nan for prompt 'a red circle'",
}


@pytest.mark.parametrize(("how", "said"), HOWS.items(), ids=HOWS)
def test_every_failure_ends_the_run_and_is_named_with_its_prompt_unless_the_policy_says_otherwise(how: str, said: str):
    with pytest.raises(RewardError, match=f"reward Failing: {said}"):
        judge(scorers(Failing(how=how, on_failure=Raise(timeout=0.05))), Group(), ROLLOUT)


@pytest.mark.parametrize("how", HOWS)
def test_retry_calls_again_and_then_ends_the_run(how: str):
    policy = Retry(attempts=3, backoff=0.001, timeout=0.05)
    mended = Failing(how=how, times=2, on_failure=policy)
    verdict = judge(scorers(mended), Group(), ROLLOUT)
    assert verdict.total.tolist() == [0, 1, 2, 3]
    assert len(mended.calls) == 3
    hopeless = Failing(how=how, on_failure=policy)
    with pytest.raises(RewardError, match="at the last of 3 calls"):
        judge(scorers(hopeless), Group(), ROLLOUT)
    assert len(hopeless.calls) == 3


def test_back_off_doubles(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []
    monkeypatch.setattr("margrpo.train.verdict.judge.sleep", slept.append)
    with pytest.raises(RewardError):
        judge(scorers(Failing(on_failure=Retry(attempts=4, backoff=0.5))), Group(), ROLLOUT)
    assert slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("how", HOWS)
def test_a_dropped_group_takes_no_part_and_the_others_learn_as_if_it_were_not_there(how: str):
    failing = Failing(how=how, prompt="two blue squares", on_failure=DropGroup(timeout=0.05))
    verdict = judge(scorers(failing, Brightness()), Group(), ROLLOUT)
    assert verdict.kept.tolist() == [True, True, False, False]
    part = ROLLOUT.prompts.part(slice(2))
    alone = Group().advantages(verdict.total[:2, None], torch.ones(1), part.group)
    assert torch.equal(verdict.advantages, torch.cat([alone, torch.zeros(2)]))
    assert bool((alone != 0).all())
    (note,) = verdict.notes
    assert note.startswith("the group of prompt 'two blue squares' is dropped: reward Failing: ")
    figures = reward_figures(verdict, scorers(failing, Brightness()))
    assert figures["dropped_groups"] == 1
    assert figures["reward"] == pytest.approx(float(verdict.total[:2].mean()))
    assert figures["live_groups"] == 1.0


def test_where_every_group_is_dropped_there_is_nothing_to_learn_and_no_number():
    verdict = judge(scorers(Failing(on_failure=DropGroup())), Group(), ROLLOUT)
    assert not verdict.kept.any()
    assert verdict.advantages.tolist() == [0, 0, 0, 0]
    figures = reward_figures(verdict, scorers(Failing()))
    assert math.isnan(figures["reward"])
    assert figures["dropped_groups"] == 2


def test_a_look_at_held_out_prompts_drops_nothing():
    pipeline = small.pipeline()
    measure = scorers(Failing(prompt="two blue squares", on_failure=DropGroup()))
    with pytest.raises(RewardError, match="raised ConnectionError"):
        validate(pipeline, small.prompts(group=1), measure, 0)


def test_a_reward_computes_no_gradients():
    @component
    class Asking:
        weight: float = 1.0
        traits: Traits = Traits()

        def build(self, device: str) -> Any:
            return self

        def score(self, images: Tensor, prompts: Prompts) -> Tensor:
            assert not torch.is_grad_enabled()
            return images.mean((1, 2, 3))

    judge(scorers(Asking()), Group(), ROLLOUT)


def test_a_score_outside_the_declared_range_is_refused_by_name():
    shares = Traits(low=0.0, high=1.0)
    fine = torch.tensor([0.0, 1.0 + 5e-6, 0.5, 1.0])
    assert torch.equal(score(*scorers(Given(scores=fine, traits=shares)), ROLLOUT.images, ROLLOUT.prompts), fine)
    beyond = Given(scores=torch.tensor([0.0, 1.0, 1.1, 0.0]), traits=shares)
    said = "returned 1.1 for prompt 'two blue squares', outside the range of 0 to 1 that it declares"
    with pytest.raises(RewardError, match=re.escape(said)):
        score(*scorers(beyond), ROLLOUT.images, ROLLOUT.prompts)


@pytest.mark.parametrize("part", ["text", "label", "metadata"])
def test_prompts_that_lack_what_a_reward_reads_are_refused_before_training(part: Any, tmp_path: Path):
    reward = Given(scores=torch.ones(4), traits=Traits(reads=(part,)))
    (reward,) = scorers(reward)
    whole = grouped([Prompt("a red circle", 1, {"a": 1})], 2)
    reward.refuse_unreadable(whole)
    lacking = {"text": Prompt(" ", 1, {"a": 1}), "label": Prompt("a", -1, {"a": 1}), "metadata": Prompt("a", 1)}
    with pytest.raises(DataError, match=f"reward Given reads the {part} of a prompt, which prompt '.*' lacks; choose"):
        reward.refuse_unreadable(grouped([lacking[part]], 2))


def test_figures_tell_each_reward_its_share_of_its_range_its_spread_and_what_the_update_follows():
    first = torch.tensor([0.0, 1.0, 0.0, 1.0])
    second = torch.tensor([1.0, 0.0, 3.0, 3.0])
    members = scorers(Given(scores=first, traits=Traits(low=-1, high=1)), Given(scores=second, weight=0.1))
    figures = reward_figures(judge(members, Unscaled(), ROLLOUT), members)
    assert figures["reward/Given_0"] == 0.5
    assert figures["reward_normalised/Given_0"] == 0.75
    assert "reward_normalised/Given_1" not in figures
    assert figures["reward_std/Given_0"] == pytest.approx(0.5**0.5)
    assert figures["reward_std/Given_1"] == pytest.approx(0.5**0.5 / 2)
    # within groups the first differs by (-½, ½, -½, ½), the second by (½, -½, 0, 0)
    assert figures["reward_correlation/Given_0/Given_1"] == pytest.approx(-0.5 / (1.0 * 0.5) ** 0.5)
    assert figures["reward_pull/Given_0"] > 0.99
    assert figures["reward_pull/Given_1"] < 0


def test_each_reward_can_be_normalised_before_they_are_summed():
    loud, quiet = torch.tensor([100.0, 0.0, 100.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, 1.0])
    members = scorers(Given(scores=loud), Given(scores=quiet, weight=2.0))
    assert (judge(members, Group(), ROLLOUT).advantages > 0).tolist() == [True, False, True, False]
    assert (judge(members, Decoupled(), ROLLOUT).advantages > 0).tolist() == [False, True, False, True]


@component
class Named:
    """Compares with another reward, which makes it no wrapper of that, and tells troubles in its own name."""

    of: Reward = Brightness()
    weight: float = 1.0
    traits = Traits()

    def build(self, device: str) -> Any:
        return self

    def score(self, images: Tensor, prompts: Prompts) -> Tensor:
        raise DataError("reward Named: the images are small")


@component
class Passing:
    """Passes another reward on."""

    inner: Reward = Brightness()
    weight: float = 1.0
    traits = Traits()

    @property
    def wraps(self) -> Reward:
        return self.inner

    def build(self, device: str) -> Any:
        return self.inner.build(device)


def test_a_wrapper_has_the_name_of_the_reward_that_it_wraps_however_deep() -> None:
    assert reward_names((Passing(), Passing(inner=Passing(inner=Named())))) == ("brightness", "Named")


def test_a_reward_that_takes_another_and_wraps_none_keeps_its_name_which_is_said_once() -> None:
    assert reward_names((Named(),)) == ("Named",)
    (reward,) = build_rewards((Named(),), "cpu")
    with pytest.raises(RewardError) as caught:
        score(reward, torch.zeros(1, 3, 4, 4), grouped([Prompt("a")], 1))
    assert str(caught.value) == "reward Named: the images are small"
