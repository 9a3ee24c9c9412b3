from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Frozen
from margrpo.components.reward.brightness import Brightness
from margrpo.components.sampler import Ddim
from margrpo.components.selector import Committed, Consistent, Every, Uncertain
from margrpo.components.timesteps import Random
from margrpo.components.trainable import Backbone, Everything, Head
from margrpo.contracts import Trainable
from margrpo.maths.noise import generator
from margrpo.plan.memory import BUDGET
from margrpo.recipe.schema import Run
from margrpo.records import Needs
from margrpo.testing import small
from margrpo.train.assemble import assemble, dtype_of, pipeline_of, recording_of, virtual_steps
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.step import collect, update
from margrpo.train.verdict.judge import judge
from margrpo.train.watch import parity


@pytest.mark.parametrize("trainable", [Backbone(), Head(), Everything()])
def test_only_what_is_trainable_is_given_to_the_optimizer_and_wants_a_gradient(trainable: Trainable, tmp_path: Path):
    session = assemble(small.recipe(tmp_path, trainable=trainable))
    names = dict(trainable.parameters(session.model)).keys()
    assert {name for name, value in session.model.named_parameters() if value.requires_grad} == names
    assert {id(value) for group in session.optimizer.param_groups for value in group["params"]} == {
        id(value) for _, value in session.parameters
    }
    assert dict(session.parameters).keys() == names


def test_the_origin_and_the_reference_are_frozen_copies(tmp_path: Path):
    session = assemble(small.recipe(tmp_path, penalty=GaussianKL(reference=Frozen())))
    for copy in (session.base, session.method.regularizer.reference):
        assert not any(value.requires_grad for value in copy.parameters())
        assert copy is not session.model
        same = zip(copy.parameters(), session.model.parameters(), strict=True)
        assert all(torch.equal(a, b) and a is not b for a, b in same)


def test_the_pipeline_does_not_drop_and_has_the_recipes_parts(tmp_path: Path):
    recipe = small.recipe(tmp_path, sampler=Ddim(steps=3))
    pipeline = pipeline_of(recipe)
    assert not any(part.training for part in pipeline.model.modules())
    assert pipeline.sampler is recipe.sampler
    assert pipeline.device == "cpu"


@settings(derandomize=True, deadline=None)
@given(steps=st.sets(st.integers(0, 9)).map(lambda s: tuple(sorted(s))), previous=st.booleans())
def test_unknown_tokens_are_drawn_at_kept_steps_and_where_asked_at_those_before(steps: tuple[int, ...], previous: bool):
    found = virtual_steps(steps, Needs(virtual=True, previous=previous))
    assert found == {i for i in range(10) if i in steps or (previous and i + 1 in steps)}
    assert virtual_steps(steps, Needs(previous=previous)) == frozenset()


def test_a_recording_is_what_selector_and_estimator_need(tmp_path: Path):
    timesteps = Random(ar_steps=2, transitions=2)
    plain = recording_of(assemble(small.recipe(tmp_path, timesteps=timesteps)), generator((0,)))
    assert len(plain.steps) == len(plain.transitions) == 2
    assert 0 not in plain.transitions
    assert (plain.virtual, plain.trajectories) == (frozenset(), 0)
    estimator = MultiTrajectory(trajectories=5, where=Uncertain(within=Committed()))
    several = recording_of(assemble(small.recipe(tmp_path, estimator=estimator, selector=Every())), generator((0,)))
    assert (several.virtual, several.trajectories) == (frozenset({0, 1, 2}), 5)
    late = Random(ar_steps=1, transitions=1)
    consistent = recording_of(assemble(small.recipe(tmp_path, selector=Consistent(), timesteps=late)), generator((0,)))
    (kept,) = consistent.steps
    assert consistent.virtual == {kept, max(kept - 1, 0)} | {kept}


def test_images_are_measured_by_the_rewards_unless_a_measure_is_given(tmp_path: Path):
    plain = assemble(small.recipe(tmp_path))
    assert plain.measure is plain.scorers
    assert [reward.scorer for reward in plain.scorers] == [Brightness()]
    measured = assemble(small.recipe(tmp_path, measure=Brightness(target=0.5)))
    assert [reward.scorer for reward in measured.measure] == [Brightness(target=0.5)]


def test_the_backbone_is_float32_on_a_cpu_unless_bfloat16_is_asked_for(tmp_path: Path):
    assert dtype_of("auto", "cpu") == dtype_of("float32", "cpu") == torch.float32
    assert dtype_of("bfloat16", "cpu") == torch.bfloat16
    assert assemble(small.recipe(tmp_path)).pipeline.dtype == torch.float32


def test_in_bfloat16_conditions_and_log_probabilities_are_float32_and_the_replay_agrees(tmp_path: Path):
    run = Run(steps=1, device="cpu", precision="bfloat16", budget=0.001)
    session = assemble(small.recipe(tmp_path, run=run, selector=Every()))
    rollout = collect(session, 0)
    step = rollout.steps[-1]
    given, dtypes = (session.model, step, rollout.prompts), (session.pipeline.dtype, torch.float32)
    z, exact = (conditions_at(*given, scale=1.0, dtype=dtype).z.detach() for dtype in dtypes)
    assert z.dtype == step.chain.mean.dtype == torch.float32
    assert 0 < float((z - exact).abs().max()) < 0.1
    assert parity.check(session.pipeline, rollout, session.method.budget) <= parity.ROUGH
    before = [value.detach().clone() for _, value in session.parameters]
    update(session, rollout, judge(session.scorers, session.recipe.advantage, rollout).advantages, rate=1e-2)
    assert any(not torch.equal(a, b) for a, (_, b) in zip(before, session.parameters, strict=True))


def test_what_autograd_keeps_is_measured_with_what_is_trained(tmp_path: Path):
    frozen, trained = (assemble(small.recipe(tmp_path, trainable=each)) for each in (Backbone(), Everything()))
    assert frozen.method.budget.bytes == trained.method.budget.bytes == BUDGET
    assert frozen.method.budget.footprint.chain < trained.method.budget.footprint.chain
    half = small.recipe(tmp_path, run=Run(device="cpu", budget=0.5))
    assert assemble(half).method.budget.bytes == 2**29
