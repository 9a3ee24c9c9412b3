import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.evaluate.statistics import change, mean


def drawn(seed: int, count: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


def test_an_interval_is_about_two_standard_errors_wide() -> None:
    values = drawn(0, 400)
    found = mean(values)
    assert found.mean == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert vars(mean(values)) == vars(found)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    """Of 200 samples of 30 about 188; fewer than 175 or more than 198 come by chance once in a million."""
    held = sum(one.low <= 0 <= one.high for one in (mean(drawn(seed, 30)) for seed in range(200)))
    assert 175 <= held <= 198


def test_what_does_not_vary_has_no_interval() -> None:
    for values in (np.full(5, 0.3), np.array([0.3])):
        found = mean(values)
        assert (found.mean, found.low, found.high) == (pytest.approx(0.3), None, None)


def test_the_interval_of_a_share_of_yes_is_wilsons() -> None:
    """By hand for 10 of 10: z² = 3.8415, the lower end 10 / (10 + z²)."""
    found = mean(np.ones(10), shares=True)
    assert (found.low, found.high) == (pytest.approx(10 / 13.8415, abs=1e-4), 1.0)
    assert mean(np.zeros(10), shares=True).high == pytest.approx(1 - found.low, abs=1e-9)


def test_few_answers_of_yes_and_no_are_covered_as_often_as_said() -> None:
    """The bootstrap covers p = 0.9 with 7 of 10 samples of 10."""
    rng = np.random.default_rng(0)
    held = [one.low <= 0.9 <= one.high for one in (mean(rng.binomial(1, 0.9, 10), shares=True) for _ in range(400))]
    assert np.mean(held) > 0.88


def test_a_change_by_hand() -> None:
    before, after = np.zeros(4), np.ones(4)
    found = change(before, after)
    assert (found.mean, found.low, found.high) == (1, None, None)
    assert found.p == pytest.approx(2 / 16)  # both all swapped and none, of the 16 ways
    assert change(before, before).p == 1.0


def test_a_change_is_told_by_pairs_where_the_spread_over_prompts_hides_it() -> None:
    before = 10 * drawn(1)
    found = change(before, before + 0.1 + 0.01 * drawn(2))
    assert found.p < 1e-3
    assert 0.09 < found.low < found.high < 0.11


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_a_change_turned_round_is_its_opposite(seed: int) -> None:
    one, other = drawn(seed, 9), drawn(seed + 1, 9)
    there, back = change(one, other), change(other, one)
    assert there.mean == pytest.approx(-back.mean)
    assert there.p == pytest.approx(back.p, abs=0.02)
