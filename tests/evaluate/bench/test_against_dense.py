from pathlib import Path

import attrs
import pytest

from margrpo.components.replay import Released
from margrpo.errors import RunError
from margrpo.evaluate.bench.against_dense import measure_against_dense
from margrpo.evaluate.bench.bench import Bench
from tests.evaluate.bench.recipes import recipe


def test_the_step_is_compared_with_the_plain_way_on_the_same_rollout(tmp_path: Path):
    bench = Bench(recipe(tmp_path), images=3, ar_steps=2)
    compared, counts = measure_against_dense(bench, repeats=1)
    found = compared.as_dict()
    assert found["loss_relative_error"] < 1e-4
    assert found["gradient_relative_error"] < 1e-3
    assert found["speedup"] > 0
    assert found["agrees"]
    assert found["memory_ratio"] == compared.ours.cost.peak_bytes / compared.dense.cost.peak_bytes
    assert compared.ours.cost.flops < compared.dense.cost.flops
    assert (counts.images, counts.ar_steps, counts.diffusion_steps) == (3, 2, 2)
    assert counts.flops_by_formula == pytest.approx(compared.ours.cost.flops, rel=0.03)
    assert set(compared.ours.cost.parts) == {"selection", "backbone", "head", "backbone's backward", "rest"}
    assert sum(flops for _, flops in compared.ours.cost.parts.values()) == compared.ours.cost.flops


def test_a_replay_that_drops_out_cannot_be_compared_with_another_draw(tmp_path: Path):
    dropping = recipe(tmp_path, replay=Released())
    dropping = attrs.evolve(dropping, policy=attrs.evolve(dropping.policy, dropout=0.1))
    with pytest.raises(RunError, match="--against dense: this recipe drops out in the replay"):
        measure_against_dense(Bench(dropping, images=2, ar_steps=1), repeats=1)
