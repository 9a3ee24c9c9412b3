import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory, Single
from margrpo.components.selector import Committed, Consistent, Every, Random, Uncertain, Uncommitted
from margrpo.contracts import Estimator, Selector
from margrpo.records import Count, Stage, fixed

STAGE = Stage(tokens=10, unknown=6, committed=2, scale=1.0)


def scored(selector: Selector, estimator: Estimator, stage: Stage) -> Count:
    return estimator.chains(stage.tokens).scored(selector.extent(stage.tokens), stage)


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        (Every(), fixed(6)),
        (Committed(), fixed(2)),
        (Uncommitted(), fixed(4)),
        (Uncertain(fraction=0.3), Count(3, 1.8)),
        (Uncertain(fraction=0.3, within=Committed()), Count(2, 0.6)),
        (Random(fraction=0.01), Count(1, 0.6)),
        (Consistent(), Count(6, None)),
        (Consistent(within=Uncommitted()), Count(4, None)),
    ],
)
def test_a_selector_bounds_what_it_marks_of_two_committed_and_four_other_tokens(
    selector: Selector, count: Count
) -> None:
    found = selector.extent(STAGE.tokens).at(STAGE)
    assert found.most == count.most
    assert found.mean == (None if count.mean is None else pytest.approx(count.mean))


def test_the_last_step_leaves_nothing_or_as_the_release_has_it_one_token() -> None:
    last = Stage(tokens=10, unknown=3, committed=3, scale=1.0)
    assert Uncommitted().extent(10).at(last) == fixed(0)
    released = Uncommitted(last_too=True)
    assert released.extent(10).at(last) == fixed(1)
    assert released.extent(10).at(STAGE) == fixed(4)
    assert Consistent(within=released).extent(10).at(last) == Count(1, None)
    assert scored(released, MultiTrajectory(trajectories=5), last) == fixed(5)


def test_resampled_tokens_count_k_times_and_the_others_once() -> None:
    assert scored(Every(), Single(), STAGE) == fixed(6)
    assert scored(Every(), MultiTrajectory(trajectories=5), STAGE) == fixed(30)
    assert scored(Every(), MultiTrajectory(trajectories=5, where=Committed()), STAGE) == fixed(2 * 5 + 4)
    assert scored(Committed(), MultiTrajectory(trajectories=5, where=Uncommitted()), STAGE) == fixed(2)


@given(st.floats(0.01, 1), st.integers(1, 60), st.data())
def test_the_mean_is_never_above_the_most(fraction: float, tokens: int, data: st.DataObject) -> None:
    unknown = data.draw(st.integers(1, tokens))
    stage = Stage(tokens, unknown, data.draw(st.integers(1, unknown)), 1.0)
    for within in (None, Committed(), Uncommitted()):
        count = Uncertain(fraction=fraction, within=within).extent(tokens).at(stage)
        assert count.mean is not None
        assert 0 <= count.mean <= count.most + 1e-9
