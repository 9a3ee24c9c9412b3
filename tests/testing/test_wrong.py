"""Every check of the kit can fail: a component that is wrong in just that way does not stand it."""

import sys

import pytest

from margrpo.plugin.registry import Registry
from margrpo.testing.conformance import cases
from tests.testing import wrong


@pytest.fixture(scope="module")
def among() -> Registry:
    made = Registry()
    made.register(sys.modules[wrong.__name__], "wrong")
    assert not made.failures
    return made


def test_there_is_a_wrong_component_for_every_check() -> None:
    assert set(wrong.WRONG) == wrong.EVERY


@pytest.mark.parametrize("check", wrong.WRONG)
def test_a_component_that_is_wrong_in_just_that_way_does_not_stand_the_check(check: str, among: Registry) -> None:
    entry, component = wrong.WRONG[check]
    (case,) = [
        case
        for case in cases("wrong", examples={entry.id: component}, among=among)
        if (case.entry, case.check.__name__) == (entry, check)
    ]
    with pytest.raises(AssertionError):
        case()
