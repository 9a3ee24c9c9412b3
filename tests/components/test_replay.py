from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.replay import Conditional, Guided


@settings(derandomize=True, deadline=None)
@given(scale=st.floats(0, 10))
def test_guided_replay_keeps_the_scale_and_conditional_replay_drops_it(scale: float):
    assert Guided().scale(scale) == scale
    assert Conditional().scale(scale) == 1.0
