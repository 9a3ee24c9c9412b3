from pathlib import Path

import attrs
import pytest
import torch

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.guidance import Constant, Linear
from margrpo.components.replay import Released
from margrpo.components.selector import Consistent, Every, Uncertain
from margrpo.components.timesteps import Random
from margrpo.components.unmasking import Cosine
from margrpo.errors import RunError
from margrpo.evaluate import bench as measure
from margrpo.evaluate.bench import CHAINS, Bench, SubsampledUnmasking, excerpt
from margrpo.recipe import Recipe
from margrpo.testing import small
from margrpo.train.timer import Timer

METER = Timer("cpu")


def recipe(folder: Path, **tables: object) -> Recipe:
    parts = {
        "unmasking": Cosine(steps=8),
        "selector": Consistent(),
        "estimator": MultiTrajectory(trajectories=3, where=Uncertain(fraction=0.3)),
        "timesteps": Random(ar_steps=3, transitions=2),
    }
    return small.recipe(folder, side=4, **{**parts, **tables})


def test_an_excerpt_trains_on_the_recipes_own_steps_and_draws_only_those_and_their_predecessors():
    whole, tokens = Cosine(steps=64), 256
    every, some = whole.counts(tokens), SubsampledUnmasking(whole, (0, 32), tokens)
    assert some.unknown == (256, every[1], every[31], every[32], every[33], 0)
    assert some.steps == 5
    assert some.kept == (0, 3)
    for place, kept in zip((0, 32), some.kept, strict=True):
        assert some.unknown[kept : kept + 2] == every[place : place + 2]
    assert SubsampledUnmasking(whole, tuple(range(64)), tokens).unknown == every


def test_more_ar_steps_or_images_than_there_are_are_refused(tmp_path: Path):
    with pytest.raises(RunError, match="--ar-steps 9: the recipe's images take 8 AR steps; give 8 or fewer"):
        excerpt(recipe(tmp_path), 9)
    with pytest.raises(RunError, match="--images 5: the recipe draws 4 images a step; give 4 or fewer, or set more"):
        Bench(recipe(tmp_path), images=5)


def test_the_step_is_compared_with_the_plain_way_on_the_same_rollout(tmp_path: Path):
    bench = Bench(recipe(tmp_path), images=3, ar_steps=2)
    compared, counts = measure.step_against_dense(bench, repeats=1)
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
        measure.step_against_dense(Bench(dropping, images=2, ar_steps=1), repeats=1)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("guidance", [Constant(), Linear(weight=3.0)])
def test_a_rollout_does_what_is_needed_and_no_more(training: bool, guidance: object, tmp_path: Path):
    bench = Bench(recipe(tmp_path, guidance=guidance), images=2)
    drawn = measure.rollout(bench, repeats=1, training=training)
    done = sum(flops for part, (_, flops) in drawn.figures.cost.parts.items() if part != "codec")
    assert done == drawn.useful
    assert ("trajectories" in drawn.figures.cost.parts) is training


def test_the_scaling_varies_one_size_at_a_time(tmp_path: Path):
    bench = Bench(recipe(tmp_path, selector=Every()), ar_steps=3)
    found = [point for group in measure.scaling(bench, repeats=1) for point in group]
    sizes = {varied: [point.value for point in found if point.varied == varied] for varied in "KnsB"}
    assert sizes["K"] == list(CHAINS)
    assert sizes["s"] == [1, 2, 3]
    assert sizes["B"] == [1, 2, 4]
    assert sizes["n"] == sorted(sizes["n"])
    evaluations = {(point.varied, point.value): point.evaluations for point in found}
    assert evaluations["K", 32] > 5 * evaluations["K", 1]
    assert evaluations["B", 4] == pytest.approx(4 * evaluations["B", 1], rel=0.5)


def test_the_head_alone_shares_its_modulation_among_the_chains(tmp_path: Path):
    found = measure.head(Bench(recipe(tmp_path), images=2), repeats=1)
    of = measure.work(recipe(tmp_path).policy)
    for chains, figures in found.items():
        forward = figures.cost.parts["head"][1]
        assert forward == of.head(2 * 16, chains)


def test_the_update_of_some_live_images_leaves_the_others_out(tmp_path: Path):
    bench = Bench(recipe(tmp_path, selector=Every()), ar_steps=1)
    rollout = bench.drawn()
    one, all_ = (bench.update(rollout, METER, live=live).evaluations for live in (1, None))
    assert 0 < one < all_
    assert torch.count_nonzero(bench.advantages) == 4
