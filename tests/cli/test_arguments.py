import pytest

from margrpo.cli.arguments import read_from_file
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.declare import component, setting


@component
class OfAPlugin:
    """A policy whose file holds one set of weights."""

    weights: str = setting("random", "the file's weights, or random weights")


@pytest.mark.parametrize(("own", "found"), [("random", "ema"), ("ema", "ema"), ("model", "model")])
def test_a_policy_reads_a_given_file_as_its_settings_or_their_default_say(own: str, found: str) -> None:
    assert read_from_file(Mar(conditioner=Label(), parameterization=Epsilon(), weights=own)) == found


def test_a_policy_without_a_moving_average_is_not_asked_for_one() -> None:
    assert read_from_file(OfAPlugin()) == "model"
