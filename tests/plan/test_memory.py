import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.optimizer import AdamW
from margrpo.components.selector import Committed, Every
from margrpo.components.timesteps import Random
from margrpo.components.trainable import Backbone, Everything
from margrpo.evaluate.measure import peak_bytes
from margrpo.plan.counts import plan
from margrpo.plan.memory import VALIDATED_AT_ONCE, memory, replay_bytes
from margrpo.recipe import load
from margrpo.recipe.schema import Run
from margrpo.records import Rollout
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.step import collect, train_step
from margrpo.train.watch.held_out import BATCH, drift, validate

pytestmark = pytest.mark.usefixtures("shapes_unchecked")
RECIPES = Path(__file__).parents[2] / "recipes"
RANDOM = ("policy.weights=random", "codec.weights=random", 'reward=[{use="brightness"}]')
FEW_OPERATIONS = (
    "sampler.steps=4",
    "unmasking.steps=3",
    "timesteps.use=every",
    "run.eval_prompts=16",
    "run.held_out=256",
)
"""Allocations are counted one by one, whatever their size: few operations on large tensors take the least time."""


def stored(value: Any, seen: dict[int, int]) -> int:
    """The bytes of every tensor in a record, each once."""
    if isinstance(value, torch.Tensor):
        seen[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name != "prompts":
                stored(getattr(value, field.name), seen)
    elif isinstance(value, tuple):
        for item in value:
            stored(item, seen)
    return sum(seen.values())


GUIDED = ("estimator.use=multi_trajectory", "selector.use=every", "guidance.weight=2.0")

# Drawn at once, a step's `committed` and its chain's `drawn` are one tensor; of several microbatches they are two.
AT_ONCE = Run(device="cpu", eval_prompts=2, held_out=2, rollout_batch=2)


@pytest.mark.parametrize("selector", [Committed(), Every()])
@pytest.mark.parametrize("estimator", [None, MultiTrajectory(trajectories=3)])
def test_the_bytes_stored_for_replay_are_known_exactly(selector: object, estimator: object, tmp_path: Path) -> None:
    parts = {"selector": selector, **({"estimator": estimator} if estimator else {})}
    recipe = small.recipe(tmp_path, run=AT_ONCE, **parts)
    counted, rollout = plan(recipe), collect(assemble(recipe), 0)
    assert replay_bytes(recipe, counted.stages, counted.images) == stored(rollout, {})


def test_with_random_ar_steps_the_bytes_for_replay_are_a_bound(tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, run=AT_ONCE, timesteps=Random(ar_steps=2, transitions=2), selector=Every())
    counted, session = plan(recipe), assemble(recipe)
    rollouts: list[Rollout] = [collect(session, step) for step in range(8)]
    bound = replay_bytes(recipe, counted.stages, counted.images)
    assert all(stored(rollout, {}) <= bound for rollout in rollouts)
    assert max(stored(rollout, {}) for rollout in rollouts) == bound


@pytest.mark.parametrize(
    ("name", "sets", "within"),
    [
        ("shapes/single", ("prompts.prompts=8",), 0.25),
        ("shapes/single", ("prompts.prompts=8", "estimator.use=multi_trajectory"), 0.25),
        (
            "shapes/single",
            (*GUIDED, "run.budget=0.05", "prompts.prompts=2"),
            0.25,
        ),
        ("shapes/single", ("penalty.use=gaussian", "penalty.reference.use=frozen", "trainable.use=everything"), 0.25),
        ("shapes/single", ("run.eval_prompts=256", "prompts.prompts=1"), 0.25),
        ("quickstart", (), 0.35),
    ],
    ids=["single", "trajectories", "guided", "penalty", "validate", "quickstart"],
)
def test_the_estimate_of_the_peak_is_near_what_torch_takes(name: str, sets: tuple[str, ...], within: float) -> None:
    recipe = load(RECIPES / f"{name}.toml", [*RANDOM, *FEW_OPERATIONS, *sets])
    held_out = recipe.prompts.held_out().part(slice(recipe.run.held_out))
    watched = held_out.part(slice(recipe.run.eval_prompts))

    def work() -> None:
        session = assemble(recipe)
        train_step(session, 0)
        train_step(session, 1)
        drift(session.pipeline, session.base, watched, 0)
        validate(session.pipeline, held_out, session.measure, 0)

    estimate = memory(recipe)
    assert estimate.peak / peak_bytes(work, "cpu") == pytest.approx(1, abs=within)


def test_the_plan_knows_how_many_held_out_images_are_drawn_at_once() -> None:
    assert VALIDATED_AT_ONCE == BATCH


def test_a_piece_of_the_update_does_not_grow_with_the_trajectories() -> None:
    def update(trajectories: int) -> int:
        sets = ("estimator.use=multi_trajectory", f"estimator.trajectories={trajectories}", "run.budget=0.02")
        estimate = memory(load(RECIPES / "quickstart.toml", [*RANDOM, *sets]))
        (found,) = (part.bytes for part in estimate.phases if part.name == "update")
        return found

    assert update(16) == update(2)


class Frugal(AdamW):
    """An optimizer that keeps one number of each parameter."""

    state_per_parameter = 1


def test_the_optimizer_says_how_much_it_keeps(tmp_path: Path) -> None:
    def state(optimizer: AdamW) -> int:
        estimate = memory(small.recipe(tmp_path, optimizer=optimizer))
        (found,) = (part.bytes for part in estimate.held if part.name == "optimizer")
        return found

    assert state(AdamW()) == 2 * state(Frugal())


def test_the_head_keeps_more_for_its_backward_pass_where_it_is_trained(tmp_path: Path) -> None:
    def update(trainable: object) -> int:
        estimate = memory(small.recipe(tmp_path, trainable=trainable))
        (found,) = (part.bytes for part in estimate.phases if part.name == "update")
        return found

    assert update(Everything()) > update(Backbone())
