"""A small MAR whose head is of a flow: drawn, replayed, updated and pre-trained."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.guidance import Linear
from margrpo.components.parameterization import Flow
from margrpo.components.sampler import FlowSde
from margrpo.contracts import Guidance
from margrpo.maths import gaussian
from margrpo.pretrain import loss as pretrain
from margrpo.testing import small
from margrpo.testing.strategies import guidances, seeds
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats
from margrpo.train.watch import parity


def pipeline(seed: int = 0, steps: int = 4, **parts: object) -> Pipeline:
    made = small.policy(parameterization=Flow())
    return small.pipeline(made=made, seed=seed, sampler=FlowSde(steps=steps, shift=3.0), **parts)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds, steps=st.integers(2, 8), guidance=guidances())
def test_a_rollout_of_a_flow_is_replayed_as_it_was_drawn(seed: int, steps: int, guidance: Guidance):
    drawing = pipeline(seed, steps, guidance=guidance)
    rollout = small.rollout(drawing)
    assert rollout.diffusion_steps == tuple(reversed(range(steps)))  # the last transition too has a density
    assert parity.check(drawing, rollout) <= parity.TOLERANCE


def test_guidance_of_a_flow_steers_its_first_transition():
    # At σ = 1 the noise is x_T in both branches: guidance that mixed the noise alone would do nothing there.
    drawing = pipeline()
    step = small.rollout(drawing).steps[0]
    first, t = step.chain.state[0], drawing.sampler.steps - 1
    means = []
    for scale in (1.0, 3.0):
        known = conditions_at(drawing.model, step, small.prompts(), scale=scale)
        means.append(step_gaussian(drawing.model.head, drawing.sampler, known.of(step.chain.drawn), first, t).mean)
    assert float((means[1] - means[0]).detach().abs().max()) > 1e-3


def test_the_update_of_a_flow_is_the_gradient_of_its_log_density():
    drawing, advantages = pipeline(guidance=Linear(weight=2.0)), torch.tensor([1.0, -1.0, 0.5, -0.5])
    rollout, method, model = small.rollout(drawing), small.method(drawing), drawing.model
    model.zero_grad()
    backward(drawing, method, rollout, advantages, UpdateStats())
    streamed = small.gradients(model.backbone)
    model.zero_grad()
    std = torch.tensor([drawing.sampler.nominal_std(t) for t in rollout.diffusion_steps])
    loss, count = torch.zeros(()), 0
    for step in rollout.steps:
        known = conditions_at(model, step, rollout.prompts).of(step.committed)
        rows, image = step.chain.rows(step.committed), step.committed.nonzero()[:, 0]
        count += len(rows)
        for weight, j, t in zip(method.weighting.weights(std), range(4), rollout.diffusion_steps, strict=True):
            state, following, sigma = (part[j][:, rows] for part in (step.chain.state, step.chain.next, step.chain.std))
            mean = step_gaussian(model.head, drawing.sampler, known, state, t).mean
            loss = loss - weight * (gaussian.log_density(following, mean, sigma)[0] * advantages[image]).sum()
    (loss / (count * 4)).backward()
    assert torch.allclose(streamed, small.gradients(model.backbone), rtol=1e-3, atol=1e-6)
    assert float(streamed.abs().max()) > 1e-4


def test_pre_training_of_a_flow_asks_for_the_velocity_along_the_flow():
    model, prompts = pipeline().model, small.prompts()
    head, asked = model.head, {}
    head.net.register_forward_pre_hook(lambda _, inputs: asked.update(x=inputs[0]))
    head.net.time_embed.register_forward_pre_hook(lambda _, inputs: asked.update(time=inputs[0]))
    tokens = torch.randn(4, 4, small.CHANNELS, generator=torch.Generator().manual_seed(0))
    unknown = torch.ones(4, 4, dtype=torch.bool)
    error, bound = pretrain.loss(model, Flow(), tokens, model.prefix(prompts), unknown, key=("test",))
    x, time = asked["x"], asked["time"]
    assert bound == 0
    assert bool(((time >= 1) & (time <= 1000)).all())
    clean, level = tokens.flatten(0, 1).repeat(pretrain.REPEATS, 1), time[:, None] / 1000
    noise = (x - (1 - level) * clean) / level  # so the tokens were noised along the flow
    assert float(noise[level[:, 0] > 0.3].std()) == pytest.approx(1.0, abs=0.1)
    z = model.condition(tokens, unknown, model.prefix(prompts)).flatten(0, 1).repeat(pretrain.REPEATS, 1)
    wanted = (head.raw(x, z, time)[0] - (noise - clean)).pow(2).mean()
    assert torch.allclose(error, wanted, rtol=1e-2)
