import pytest
import torch
from jaxtyping import TypeCheckError

from margrpo.components.reward.brightness import Brightness
from margrpo.maths.noise import ranks
from margrpo.records import Gaussian, Prompt, grouped


def test_a_record_whose_axes_differ_is_refused():
    with pytest.raises(TypeCheckError):
        Gaussian(mean=torch.zeros(3, 2), std=torch.ones(2, 3))


def test_a_components_method_refuses_an_image_without_channels():
    with pytest.raises(TypeCheckError):
        Brightness().score(torch.zeros(1, 4, 4), grouped([Prompt("anything")], 1))


def test_a_function_refuses_a_number_that_is_no_integer():
    with pytest.raises(TypeCheckError):
        ranks([(0,)], 2.5)
