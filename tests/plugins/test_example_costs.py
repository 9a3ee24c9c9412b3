from pathlib import Path
from typing import Any

import attrs
import pytest
from rich.console import Console

from margrpo.cli.commands.plan import show
from margrpo.components.attention import Sdpa
from margrpo.components.selector import Every, Uncommitted
from margrpo.evaluate.bench.bench import Bench
from margrpo.evaluate.bench.scaling import measure_scaling
from margrpo.evaluate.bench.step import measure_step
from margrpo.plan.counts import plan
from margrpo.plan.memory import memory
from margrpo.plugin.registry import Registry
from margrpo.recipe import Recipe
from margrpo.testing import small


def part(among: Registry, entry_id: str, **settings: Any) -> Any:
    kind, _, name = entry_id.partition(".")
    return among.load(among.find(kind, name))(**settings)


def bag(among: Registry, **settings: Any) -> Any:
    made = small.policy()
    parts = {"conditioner": made.conditioner, "parameterization": made.parameterization}
    return part(among, "policy.bag", **parts, tokens=4, channels=3, width=8, **settings)


@pytest.fixture
def recipe(among: Registry, tmp_path: Path) -> Recipe:
    """A small recipe whose policy, sampler, estimator and selector are the plugin's."""
    return small.recipe(
        tmp_path,
        policy=bag(among),
        sampler=part(among, "sampler.posterior", steps=4),
        estimator=part(among, "estimator.integrated"),
        selector=part(among, "selector.disputed", fraction=0.5, within=Every()),
    )


def test_the_extent_of_its_selector_is_in_the_plan(recipe: Recipe) -> None:
    unknown, transitions, images = [4, 3, 2], 3, 4
    assert [stage.unknown for stage in plan(recipe).stages] == unknown
    update = plan(recipe).update
    assert update.most == transitions * images * sum(min(2, each) for each in unknown)
    assert update.mean == transitions * images * sum(0.5 * each for each in unknown)
    later = plan(attrs.evolve(recipe, selector=attrs.evolve(recipe.selector, within=Uncommitted()))).update
    assert later.most == transitions * images * sum(min(2, each) for each in (3, 2, 0))


def test_its_estimator_scores_one_chain_in_the_plan(recipe: Recipe) -> None:
    assert recipe.estimator.chains(4).per_token == 1
    assert plan(attrs.evolve(recipe, selector=Every())).update.mean == 3 * 4 * (4 + 3 + 2)


def test_the_parameters_and_bytes_of_its_policy_are_in_the_plan(recipe: Recipe) -> None:
    built = sum(value.numel() for value in recipe.policy.build(attention=Sdpa()).parameters())
    console = Console(record=True, width=200)
    show(recipe, console)
    said = console.export_text()
    assert f"{built:,} (backbone" in said
    weights = next(item for item in memory(recipe).held if item.name == "weights")
    assert weights.bytes == 2 * 4 * built


def test_the_flops_of_its_policy_are_those_that_the_bench_counts(recipe: Recipe) -> None:
    figures, counts = measure_step(Bench(recipe), repeats=1)
    assert counts.flops_by_formula == pytest.approx(figures.cost.flops, rel=0.1)


def test_all_of_it_scales_in_the_bench(recipe: Recipe) -> None:
    points = [point for group in measure_scaling(Bench(recipe), repeats=1) for point in group]
    assert {point.varied for point in points} == {"n", "s", "B"}  # its estimator always scores one chain
    assert all(point.evaluations > 0 for point in points)
