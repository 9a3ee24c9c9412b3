import sys

import numpy as np
import pytest

from margrpo.errors import DataError
from margrpo.worlds import digits
from margrpo.worlds.digits import collection


def test_the_three_parts_are_all_digits_each_once():
    parts = [digits.part(name).images for name in digits.PARTS]
    assert [len(images) for images in parts] == [797, 500, 500]
    together = np.unique(np.concatenate(parts), axis=0)
    assert len(together) == 1797


def test_a_classifier_learns_from_fifty_of_each_digit():
    for name in digits.CLASSIFIERS:
        assert np.bincount(digits.part(name).labels).tolist() == [50] * 10


def test_the_generator_has_what_is_left_of_each_digit():
    assert np.bincount(digits.part("generator").labels).tolist() == [78, 82, 77, 83, 81, 82, 81, 79, 74, 80]


def test_the_parts_are_those_of_every_machine():
    # Taken from the first run: another split would let the shipped weights have seen a classifier's digits.
    sums = {name: round(float(digits.part(name).images.sum() * 16)) for name in digits.PARTS}
    assert sums == {"generator": 249576, "reward": 156938, "judge": 155204}


def test_ink_is_one_and_paper_is_zero():
    images = digits.part("judge").images
    assert (images.min(), images.max()) == (0.0, 1.0)
    corner = images.reshape(-1, digits.SIDE, digits.SIDE)[:, 0, 0]
    assert corner.max() < 0.2


def test_a_missing_scikit_learn_is_said_with_the_extra_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    collection._collection.cache_clear()
    digits.part.cache_clear()
    with pytest.raises(DataError, match=r'is not installed; pip install "margrpo\[digits\]"$'):
        digits.part("judge")
