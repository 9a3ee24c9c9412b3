import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.reward.brightness import Brightness
from margrpo.declare import SettingError
from margrpo.records import Prompt, grouped

ONE = grouped([Prompt("anything")], 1)


def plain(red: float, green: float, blue: float) -> torch.Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, 4, 6).clone()


@pytest.mark.parametrize(
    ("colour", "luma"), [((1, 1, 1), 1.0), ((0, 0, 0), 0.0), ((1, 0, 0), 0.299), ((0, 1, 0), 0.587), ((0, 0, 1), 0.114)]
)
def test_the_score_of_a_plain_colour_is_its_luma(colour: tuple[int, int, int], luma: float):
    assert Brightness().score(plain(*map(float, colour)), ONE).item() == pytest.approx(luma, abs=1e-6)


def test_half_a_white_image_scores_a_half():
    image = plain(1.0, 1.0, 1.0)
    image[:, :, :, 3:] = 0
    assert Brightness().score(image, ONE).item() == pytest.approx(0.5)


@given(grey=st.floats(0, 1), target=st.floats(0, 1))
def test_the_score_falls_with_the_distance_from_the_target(grey: float, target: float):
    score = Brightness(target=target).score(plain(grey, grey, grey), ONE).item()
    assert score == pytest.approx(1 - abs(grey - target), abs=1e-5)


def test_half_precision_images_are_scored_in_float32():
    score = Brightness().score(plain(0.5, 0.5, 0.5).bfloat16(), ONE)
    assert score.dtype == torch.float32


def test_a_target_brighter_than_white_is_refused():
    with pytest.raises(SettingError, match=r"target = 1\.5 must be between 0 and 1"):
        Brightness(target=1.5)
