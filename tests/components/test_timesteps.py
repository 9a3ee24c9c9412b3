import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.timesteps import Every, Random
from margrpo.declare import SettingError
from margrpo.maths.noise import generator


@settings(derandomize=True, deadline=None)
@given(
    steps=st.integers(1, 30), t=st.integers(1, 30), kept=st.integers(1, 30), few=st.integers(1, 30), key=st.integers()
)
def test_random_steps_are_a_few_different_ones_in_the_order_they_are_taken(
    steps: int, t: int, kept: int, few: int, key: int
):
    timesteps = Random(ar_steps=kept, transitions=few)
    ar_steps, transitions = timesteps.draw(steps, range(1, t + 1), generator((key,)))
    assert len(ar_steps) == min(kept, steps)
    assert len(transitions) == min(few, t)
    assert list(ar_steps) == sorted(set(ar_steps) & set(range(steps)))
    assert list(transitions) == sorted(set(transitions) & set(range(1, t + 1)), reverse=True)
    assert timesteps.draw(steps, range(1, t + 1), generator((key,))) == (ar_steps, transitions)


def test_every_takes_all_and_draws_nothing():
    draw = generator((0,))
    before = draw.get_state()
    assert Every().draw(3, [1, 2], draw) == ((0, 1, 2), (2, 1))
    assert bool((draw.get_state() == before).all())


def test_every_step_is_as_likely_to_be_kept():
    # Chi-squared with 7 degrees of freedom, less a factor for drawing without repeats: 24.3 is passed in less than one
    # of 1,000 seeds; the seeds are fixed.
    counts = [0] * 8
    for seed in range(1000):
        for step in Random(ar_steps=2, transitions=1).draw(8, range(1, 5), generator((seed,)))[0]:
            counts[step] += 1
    assert sum((count - 250) ** 2 / 250 for count in counts) < 24.3


def test_no_transitions_are_refused():
    with pytest.raises(SettingError, match="transitions = 0 must be 1 or more"):
        Random(transitions=0)
