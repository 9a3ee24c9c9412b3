from typing import Any

import pytest
import torch

from margrpo.components.reward.brightness import Brightness
from margrpo.declare import component
from margrpo.errors import DataError, RewardError
from margrpo.evaluate.self_test import self_test
from margrpo.records import Prompts, Traits


@component
class Marked:
    """Reads a mark from the metadata."""

    weight: float = 1.0
    traits = Traits(reads=("metadata",))

    def build(self, device: str) -> Any:
        return self

    def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
        if not all("mark" in each for each in prompts.metadata):
            raise DataError("a prompt has no mark")
        return torch.tensor([each["mark"] for each in prompts.metadata])


def test_what_a_reward_ships_is_scored_and_timed() -> None:
    found = self_test(Brightness())
    assert found.cases
    assert all(each.holds for each in found.cases)
    assert found.seconds is not None
    assert found.seconds > 0


def test_one_that_ships_nothing_and_cannot_score_noise_has_no_time() -> None:
    found = self_test(Marked())
    assert (found.cases, found.seconds) == ([], None)


def test_one_that_is_broken_is_not_passed_over() -> None:
    class Broken(Marked):
        def score(self, images: torch.Tensor, prompts: Prompts) -> torch.Tensor:
            raise NameError("imagse")

    with pytest.raises(RewardError, match="NameError: imagse"):
        self_test(Broken())
