import numpy as np
import pytest

from margrpo.worlds import digits
from margrpo.worlds.digits import classifier


@pytest.mark.parametrize("name", digits.CLASSIFIERS)
def test_a_classifier_reads_at_least_95_in_100_real_digits_that_it_never_saw(name: str):
    assert digits.accuracy(name) >= 0.95


def test_the_accuracies_in_the_documentation_are_those_measured():
    assert digits.accuracy("reward") == pytest.approx(0.956, abs=5e-4)
    assert digits.accuracy("judge") == pytest.approx(0.970, abs=5e-4)


@pytest.mark.parametrize("name", digits.CLASSIFIERS)
def test_training_a_classifier_again_gives_the_same_one(name: str):
    images = digits.part("generator").images
    first = digits.classified(images, name)
    classifier._trained.cache_clear()
    assert np.array_equal(first, digits.classified(images, name))
    assert np.allclose(first.sum(1), 1)


def test_the_judge_knows_its_own_digits_by_heart_and_the_other_has_only_a_line_between_them():
    for name, right in (("judge", 1.0), ("reward", 0.99)):
        lesson = digits.part(name)
        share = (digits.classified(lesson.images, name).argmax(1) == lesson.labels).mean()
        assert share >= right


def test_the_two_err_on_different_digits():
    unseen = digits.part("generator")
    wrong = [digits.classified(unseen.images, name).argmax(1) != unseen.labels for name in digits.CLASSIFIERS]
    assert (wrong[0] & wrong[1]).sum() < min(one.sum() for one in wrong)
