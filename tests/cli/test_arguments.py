from pathlib import Path

import pytest

from margrpo.cli.arguments import read_from_file, recipe_of
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.declare import component, setting
from margrpo.errors import RunError


@component
class OfAPlugin:
    """A policy whose file holds one set of weights."""

    weights: str = setting("random", "the file's weights, or random weights")


@pytest.mark.parametrize(("own", "found"), [("random", "ema"), ("ema", "ema"), ("model", "model")])
def test_a_policy_reads_a_given_file_as_its_settings_or_their_default_say(own: str, found: str) -> None:
    assert read_from_file(Mar(conditioner=Label(), parameterization=Epsilon(), weights=own)) == found


def test_a_policy_without_a_moving_average_is_not_asked_for_one() -> None:
    assert read_from_file(OfAPlugin()) == "model"


def test_the_recipe_of_a_run_is_found_in_its_folder_unless_an_earlier_margrpo_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").touch()
    assert recipe_of(tmp_path) == tmp_path / "recipe.toml"
    (tmp_path / "said.jsonl").touch()
    with pytest.raises(RunError, match="was written by an earlier margrpo, whose run folders this one does not read"):
        recipe_of(tmp_path)
