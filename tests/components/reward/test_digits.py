import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.dataset.digits import Digits as Images
from margrpo.components.reward.digits import Digits
from margrpo.declare import SettingError
from margrpo.errors import DataError
from margrpo.records import Prompt, grouped
from margrpo.worlds import digits


@pytest.mark.parametrize("classifier", digits.CLASSIFIERS)
def test_real_digits_score_high_and_wrong_labels_low(classifier: str):
    images, prompts = Images().images(0, 200, seed=0)
    _, wrong = Images(mislabelled=1.0).images(0, 200, seed=0)
    reward = Digits(classifier=classifier)
    assert float(reward.score(images, prompts).mean()) > -0.3
    assert float(reward.score(images, wrong).mean()) < -5
    share = Digits(classifier=classifier, by="accuracy")
    assert float(share.score(images, prompts).mean()) > 0.93
    assert float(share.score(images, wrong).mean()) < 0.04


def test_an_opinion_of_a_quarter_is_minus_1_386_nats_and_no_first_guess():
    probability = torch.tensor([[0.25, 0.75, *[0.0] * 8]], dtype=torch.float64)
    zero, one, two = (torch.tensor([label]) for label in range(3))
    assert float(Digits().opinion(probability, zero)) == pytest.approx(math.log(0.25))
    assert float(Digits(by="accuracy").opinion(probability, zero)) == 0
    assert float(Digits(by="accuracy").opinion(probability, one)) == 1
    assert float(Digits(floor=-4.0).opinion(probability, two)) == pytest.approx(-4)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=st.integers(0, 10**6), floor=st.floats(-20, -0.1))
def test_any_image_scores_between_the_floor_and_zero(seed: int, floor: float):
    images = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    _, prompts = Images().images(seed, 20, seed=0)
    for classifier in digits.CLASSIFIERS:
        scores = Digits(classifier=classifier, floor=floor).score(images, prompts)
        assert scores.dtype == torch.float32
        assert bool(((scores >= floor - 1e-5) & (scores <= 1e-6)).all())


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_that_is_no_digit_is_refused(label: int):
    prompts = grouped([Prompt("a cat", label)], 1)
    with pytest.raises(DataError) as caught:
        Digits().score(torch.zeros(1, 3, 8, 8), prompts)
    said = f"reward digits: prompt 'a cat' has label {label}, which is not a digit; give it one from 0 to 9."
    assert str(caught.value) == said


def test_images_of_another_size_are_refused():
    with pytest.raises(DataError) as caught:
        Digits().score(torch.zeros(1, 3, 32, 16), grouped([Prompt("one", 1)], 1))
    assert str(caught.value) == (
        "reward digits: the images are 32 × 16 pixels, but its classifiers know digits of 8 × 8; "
        "set codec.image = 8, or choose another reward."
    )


def test_a_missing_scikit_learn_is_a_problem_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    assert Digits().problems() == []
    monkeypatch.setitem(sys.modules, "sklearn", None)
    (sentence,) = Digits().problems()
    assert sentence.endswith('is not installed; pip install "margrpo[digits]"')


def test_a_classifier_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="classifier = 'critic' must be one of 'reward', 'judge'"):
        Digits(classifier="critic")
    with pytest.raises(SettingError, match=r"floor = 0\.0 must be less than 0"):
        Digits(floor=0.0)
