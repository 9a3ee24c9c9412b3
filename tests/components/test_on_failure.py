from pathlib import Path

import pytest

from margrpo.components.on_failure import DropGroup, Raise, Retry
from margrpo.errors import RecipeError, RewardError
from margrpo.recipe import load, unstructure

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart.toml"


def test_only_drop_group_goes_on():
    error = RewardError("no answer")
    assert DropGroup().give_up(error) is None
    for policy in (Raise(), Retry()):
        with pytest.raises(RewardError, match="no answer"):
            policy.give_up(error)


def test_a_recipe_chooses_a_policy_for_each_reward():
    sets = ["reward.0.on_failure.use=retry", "reward.0.on_failure.attempts=5", "reward.0.on_failure.timeout=30"]
    recipe = load(QUICKSTART, sets)
    assert recipe.reward[0].on_failure == Retry(attempts=5, timeout=30.0)
    written = unstructure(recipe)["reward"][0]["on_failure"]
    assert written == {"use": "retry", "attempts": 5, "backoff": 1.0, "timeout": 30.0}


def test_a_retry_that_does_not_try_again_is_refused():
    with pytest.raises(RecipeError, match=r"reward.0.on_failure.attempts = 1 must be 2 or more"):
        load(QUICKSTART, ["reward.0.on_failure.use=retry", "reward.0.on_failure.attempts=1"])
