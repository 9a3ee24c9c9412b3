from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from margrpo.components.guidance import Constant, Linear
from margrpo.components.sampler import Ddim, Ddpm
from margrpo.contracts import Guidance
from margrpo.errors import ParityError
from margrpo.records import ARStep, Rollout
from margrpo.testing import small
from margrpo.testing.strategies import guidances, samplers, seeds
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.watch import parity


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, sampler=samplers(), guidance=guidances())
def test_a_sound_rollout_passes(seed: int, sampler: Ddpm | Ddim, guidance: Guidance):
    pipeline = small.pipeline(seed=seed, sampler=sampler, guidance=guidance)
    for virtual in (True, False):
        assert parity.check(pipeline, small.rollout(pipeline, virtual=virtual)) <= parity.TOLERANCE


def with_steps(rollout: Rollout, change: object) -> Rollout:
    return replace(rollout, steps=tuple(map(change, rollout.steps)))


def complaint(pipeline: Pipeline, rollout: Rollout) -> str:
    with pytest.raises(ParityError) as said:
        parity.check(pipeline, rollout)
    text = str(said.value)
    assert text.startswith("replayed log-probabilities differ from the recorded ones by up to ")
    assert "(allowed: 0.01)" in text
    return text


@pytest.mark.parametrize("guidance", [Constant(), Linear(weight=3.0)])
def test_dropout_left_on_is_named_and_left_as_it_was(guidance: Guidance):
    pipeline = small.pipeline(made=small.policy(dropout=0.2), guidance=guidance)
    rollout = small.rollout(pipeline)
    pipeline.model.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert "dropout is on in the replay: put the policy in evaluation mode" in complaint(pipeline, rollout)
    assert all(part.training for part in pipeline.model.modules())
    pipeline.model.eval()
    parity.check(pipeline, rollout)


def test_a_mask_taken_after_the_step_is_named():
    def late(step: ARStep) -> ARStep:
        return replace(step, unknown=step.unknown & ~step.committed)

    pipeline = small.pipeline()
    text = complaint(pipeline, with_steps(small.rollout(pipeline), late))
    assert "the mask of AR step 0 is the one after the step: record what is unknown before committing" in text


@pytest.mark.parametrize(
    ("drawn", "said", "text"),
    [
        (Constant(weight=3.0), 1.0, "AR step 0 was drawn under guidance 3 but is replayed under 1"),
        (Constant(), 3.0, "AR step 0 was drawn under guidance 1 but is replayed under 3"),
        (Linear(weight=3.0), 3.0, "AR step 0 was drawn under guidance 1.5 but is replayed under 3"),
    ],
)
def test_another_guidance_is_named_with_both_scales(drawn: Guidance, said: float, text: str):
    pipeline = small.pipeline(guidance=drawn)
    rollout = with_steps(small.rollout(pipeline), lambda step: replace(step, guidance=said))
    assert text in complaint(pipeline, rollout)


def test_a_replay_under_autocast_is_named():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    with torch.autocast("cpu", torch.bfloat16):
        text = complaint(pipeline, rollout)
    assert (
        "the replay computes log-probabilities in torch.bfloat16: compute the head and the densities in float32" in text
    )


@pytest.mark.parametrize("part", ["head", "backbone", "all"])
def test_weights_in_half_precision_are_named(part: str):
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    (pipeline.model if part == "all" else getattr(pipeline.model, part)).bfloat16()
    with pytest.raises(ParityError, match=r"cannot be replayed; .* in torch\.bfloat16: compute .* in float32"):
        parity.check(pipeline, rollout)


def test_weights_that_were_rounded_to_half_precision_are_caught():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    pipeline.model.bfloat16().float()
    complaint(pipeline, rollout)


def test_trouble_that_is_not_of_precision_is_not_renamed():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    pipeline.model.backbone.mae.shape = replace(pipeline.model.backbone.mae.shape, prefix=3)
    with pytest.raises(RuntimeError, match="size"):
        parity.check(pipeline, rollout)


def test_changed_weights_are_none_of_the_known_causes():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    small.alive(pipeline.model, seed=7)
    assert "mask, dropout, precision and guidance agree: were weights changed" in complaint(pipeline, rollout)


def test_a_replay_that_is_no_number_does_not_pass():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    with torch.no_grad():
        pipeline.model.backbone.mae.mask_token.fill_(torch.nan)
    complaint(pipeline, rollout)


def test_nothing_recorded_is_nothing_to_differ():
    pipeline = small.pipeline()
    assert parity.check(pipeline, replace(small.rollout(pipeline), steps=())) == 0.0
