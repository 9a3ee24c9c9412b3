from pathlib import Path

import pytest
import torch

from margrpo.components.selector import Committed, Every
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.head import CHAINS
from margrpo.evaluate.bench.scaling import Thinned, measure_scaling
from margrpo.testing import small
from tests.evaluate.bench.recipes import recipe


def test_the_scaling_varies_one_size_at_a_time(tmp_path: Path):
    bench = Bench(recipe(tmp_path, selector=Every()), ar_steps=3)
    found = [point for group in measure_scaling(bench, repeats=1) for point in group]
    sizes = {varied: [point.value for point in found if point.varied == varied] for varied in "KnsB"}
    assert sizes["K"] == list(CHAINS)
    assert sizes["s"] == [1, 2, 3]
    assert sizes["B"] == [1, 2, 4]
    assert sizes["n"] == sorted(sizes["n"])
    evaluations = {(point.varied, point.value): point.evaluations for point in found}
    assert evaluations["K", 32] > 5 * evaluations["K", 1]
    assert evaluations["B", 4] == pytest.approx(4 * evaluations["B", 1], rel=0.5)


def test_a_thinned_selector_keeps_a_share_of_the_places_among_what_another_marks() -> None:
    drawn = small.rollout(small.pipeline(side=4))
    for step in drawn.steps:
        marked = Committed().select(drawn, step)
        half, whole = (Thinned(Committed(), share).select(drawn, step) for share in (0.5, 1.0))
        assert torch.equal(whole, marked)
        assert not (half & ~marked).any()
    assert Thinned(Committed(), 0.5).extent(16) == Committed().extent(16) & Thinned(Every(), 0.5).extent(16)
    assert sum(Thinned(Every(), 0.5).select(drawn, drawn.steps[0])[0]) == 8
