from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.guidance import Linear
from margrpo.components.objective import OnPolicy, StepSum
from margrpo.components.penalty import GaussianKL, K3OfMeans
from margrpo.components.reference import Frozen
from margrpo.components.replay import Conditional, Guided, Released
from margrpo.components.sampler import Ddim
from margrpo.components.selector import Uncommitted
from margrpo.contracts import Estimator, Objective, Replay, Selector
from margrpo.evaluate.dense import dense_loss
from margrpo.testing import small
from margrpo.testing.strategies import estimators, selectors
from margrpo.train.rollout.roll_out import Pipeline, roll_out
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats

ADVANTAGES = torch.tensor([1.5, -0.5, 0.0, 0.25])


def fresh() -> Pipeline:
    return small.pipeline(guidance=Linear(weight=3.0), sampler=Ddim(steps=5, eta=0.8))


ROLLOUT = roll_out(
    fresh(),
    small.prompts(),
    ("dense",),
    replace(small.recording(fresh(), trajectories=3), transitions=(4, 2)),
)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    selector=selectors(),
    estimator=estimators(),
    replay=st.sampled_from((Guided(), Conditional(), Released(mask_at="before"))),
    objective=st.sampled_from((OnPolicy(), StepSum())),
    penalty=st.sampled_from(
        (None, GaussianKL(reference=Frozen()), K3OfMeans(reference=Frozen(), where=Uncommitted(), coefficient=0.5))
    ),
)
def test_loss_and_gradient_of_the_plain_way_are_those_of_the_update(
    selector: Selector, estimator: Estimator, replay: Replay, objective: Objective, penalty: object
):
    parts = {"selector": selector, "estimator": estimator, "replay": replay, "objective": objective}
    pipeline, found = fresh(), []
    method = small.method(pipeline, penalty=penalty, budget=small.budget(rows=9, units=3), **parts)
    with torch.no_grad():
        for value in pipeline.model.parameters():
            value.add_(0.01)
    stats = UpdateStats()
    backward(pipeline, method, ROLLOUT, ADVANTAGES, stats)
    found.append(small.gradients(pipeline.model))
    pipeline.model.zero_grad()
    loss = dense_loss(pipeline, method, ROLLOUT, ADVANTAGES)
    if loss.requires_grad:
        loss.backward()
    found.append(small.gradients(pipeline.model))
    value = float(stats.divergence) - float(stats.surrogate)
    assert float(loss.detach()) == pytest.approx(value, abs=1e-4, rel=1e-4)
    largest = max(0.1, float(found[1].abs().max()))
    assert float((found[0] - found[1]).abs().max()) <= 5e-5 * largest


def test_the_plain_way_gives_every_chain_of_every_token_to_the_head():
    pipeline, rows = fresh(), []
    pipeline.model.head.net.input_proj.register_forward_pre_hook(lambda _, given: rows.append(given[0][..., 0].numel()))
    dense_loss(pipeline, small.method(pipeline), ROLLOUT, ADVANTAGES)
    steps, transitions, halves = len(ROLLOUT.steps), len(ROLLOUT.diffusion_steps), 2
    assert sum(rows) == steps * transitions * halves * 4 * 4
