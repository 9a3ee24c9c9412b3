import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.unmasking import Cosine
from margrpo.declare import SettingError


def test_sixteen_tokens_in_four_steps_by_hand():
    # 16 · cos(π/8, π/4, 3π/8) = 14.78, 11.31, 6.12
    assert Cosine(steps=4).counts(16) == (16, 14, 11, 6, 0)


@settings(derandomize=True, deadline=None)
@given(tokens=st.integers(1, 200), data=st.data())
def test_counts_fall_from_all_tokens_to_none(tokens: int, data: st.DataObject):
    steps = data.draw(st.integers(1, tokens))
    counts = Cosine(steps=steps).counts(tokens)
    assert len(counts) == steps + 1
    assert counts[0] == tokens
    assert counts[-1] == 0
    assert list(counts) == sorted(set(counts), reverse=True)


def test_no_steps_are_refused():
    with pytest.raises(SettingError, match="steps = 0 must be 1 or more"):
        Cosine(steps=0)
