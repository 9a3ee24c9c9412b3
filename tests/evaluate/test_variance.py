from itertools import pairwise
from pathlib import Path

import pytest
import torch

from margrpo.components.guidance import Constant
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Frozen
from margrpo.components.sampler import Ddpm
from margrpo.components.selector import Uncommitted
from margrpo.evaluate.variance import (
    TRAJECTORIES,
    FixedRollout,
    compare_estimators,
    compare_transitions,
    compare_weightings,
)
from margrpo.testing import small
from margrpo.testing.conformance import alone
from tests.evaluate import chained


@pytest.mark.parametrize("guidance", [Constant(), Constant(weight=2.0)])
def test_rao_blackwell_has_no_more_variance_and_the_same_mean(guidance: Constant, tmp_path: Path):
    # The ratio of variances is about 0.1 here. The disagreement of means is about 1 and passes 3 in one of some 400
    # seeds (a z-score, where one direction owns the variance, as here). Noise is keyed: no run differs from another.
    recipe = small.recipe(tmp_path, guidance=guidance, sampler=Ddpm(steps=3))
    said: list[str] = []
    comparisons = compare_estimators(FixedRollout(recipe, images=2, replicates=12), said.append)
    assert tuple(each.trajectories for each in comparisons) == TRAJECTORIES
    assert len(said) == len(TRAJECTORIES)
    for each in comparisons:
        assert list(each.spreads) == ["multi_trajectory", "rao_blackwell"]
        assert each.ratio["rao_blackwell"] <= 1
        assert each.disagreement["rao_blackwell"] < 3
    one, most = (comparisons[place].spreads["multi_trajectory"].variance for place in (0, -1))
    assert most < one / 3  # an eighth, as far as twelve replicates can tell


def test_weightings_are_compared_on_the_same_batches(tmp_path: Path):
    recipe = small.recipe(tmp_path, sampler=Ddpm(steps=3))
    found = compare_weightings(recipe, batches=6, progress=lambda line: None)
    assert found.keys() == {"density", "std", "variance"}
    assert all(each.replicates == 6 and each.variance > 0 for each in found.values())
    assert found["variance"].variance < found["density"].variance


def test_each_transition_alone_is_no_noisier_under_rao_blackwell(tmp_path: Path):
    recipe = small.recipe(tmp_path, sampler=Ddpm(steps=4))
    found = compare_transitions(FixedRollout(recipe, images=2, replicates=12), lambda line: None)
    assert list(found) == [3, 2, 1]
    assert all(0 < each.ratio["rao_blackwell"] <= 1 for each in found.values())


def test_a_plugins_estimator_that_varies_its_chains_is_compared_after_the_built_in_ones(tmp_path: Path):
    recipe = small.recipe(tmp_path, sampler=Ddpm(steps=3))
    fixed = FixedRollout(recipe, images=2, replicates=3, among=alone(chained))
    at_each = compare_estimators(fixed, print)
    for one in (*at_each, *compare_transitions(fixed, print).values()):
        assert list(one.spreads) == ["multi_trajectory", "rao_blackwell", "last_chains"]
        assert list(one.ratio) == list(one.disagreement) == ["rao_blackwell", "last_chains"]
    # Its chains are the second half of 2K, so that both halves together are the gradient of all 2K chains.
    for half, whole in pairwise(at_each):
        both = (half.spreads["multi_trajectory"].mean + half.spreads["last_chains"].mean) / 2
        assert torch.allclose(
            both, whole.spreads["multi_trajectory"].mean, rtol=1e-3, atol=1e-4 * float(both.abs().max())
        )


def test_a_plugins_weighting_is_compared_if_it_needs_no_setting(tmp_path: Path):
    recipe = small.recipe(tmp_path, sampler=Ddpm(steps=3))
    found = compare_weightings(recipe, batches=2, progress=print, among=alone(chained))
    assert list(found) == ["density", "std", "variance", "flat"]


def test_a_penalty_is_not_measured_whatever_tokens_it_falls_on(tmp_path: Path):
    plain = small.recipe(tmp_path, sampler=Ddpm(steps=3))
    held = small.recipe(tmp_path, sampler=Ddpm(steps=3), penalty=GaussianKL(reference=Frozen(), where=Uncommitted()))
    one, other = (compare_weightings(each, batches=2, progress=lambda line: None) for each in (plain, held))
    assert all(torch.equal(one[name].mean, other[name].mean) for name in one)
