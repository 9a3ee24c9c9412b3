import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.reference import Frozen, Periodic
from margrpo.declare import SettingError


@settings(derandomize=True, deadline=None)
@given(every=st.integers(1, 20), steps=st.integers(1, 60))
def test_a_periodic_reference_is_due_once_in_so_many_steps_and_a_frozen_one_never(every: int, steps: int):
    assert sum(Periodic(every=every).is_due(step) for step in range(1, steps + 1)) == steps // every
    assert not any(Frozen().is_due(step) for step in range(1, steps + 1))


def test_a_period_of_zero_is_refused():
    with pytest.raises(SettingError, match="every = 0 must be 1 or more"):
        Periodic(every=0)
