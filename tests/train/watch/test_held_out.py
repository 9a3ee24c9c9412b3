import pytest
import torch

from margrpo.components.guidance import Linear
from margrpo.components.reward.brightness import Brightness
from margrpo.components.sampler import Ddpm
from margrpo.maths.divergence import gaussian_kl
from margrpo.testing import small
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.rollout.roll_out import roll_out
from margrpo.train.verdict.scorers import build_rewards
from margrpo.train.watch.held_out import BATCH, drift, paired_difference, validate


def test_a_look_is_the_same_at_every_time_and_scores_the_weighted_sum():
    pipeline, prompts = small.pipeline(), small.prompts()
    measure = (Brightness(weight=2.0), Brightness(target=0.0, weight=-1.0))
    scorers = build_rewards(measure, "cpu")
    seen, again = (validate(pipeline, prompts, scorers, 3) for _ in range(2))
    assert torch.equal(seen.images, again.images)
    bright, dark = (one.score(seen.images, prompts) for one in measure)
    assert torch.allclose(seen.scores, 2 * bright - dark)
    assert not torch.allclose(validate(pipeline, prompts, scorers, 4).images, seen.images)


def test_a_look_at_more_prompts_than_fit_in_a_batch_misses_none():
    pipeline, prompts = small.pipeline(sampler=Ddpm(steps=2)), small.prompts(4, group=BATCH // 4 + 1)
    seen, alone = (
        validate(pipeline, some, build_rewards((Brightness(),), "cpu"), 0)
        for some in (prompts, prompts.part(slice(BATCH, None)))
    )
    assert len(seen.scores) == len(prompts) == BATCH + 4
    assert torch.allclose(seen.images[BATCH:], alone.images, atol=1e-4)


def test_drift_is_nothing_at_the_origin_and_grows_as_the_weights_leave_it():
    pipeline, base, prompts = small.pipeline(guidance=Linear(weight=2.0)), small.pipeline().model, small.prompts()
    assert float(drift(pipeline, base, prompts, seed=0).abs().max()) < 1e-3
    found = []
    for share in (1e-3, 1e-2):
        generator = torch.Generator().manual_seed(0)
        moved = small.pipeline(guidance=Linear(weight=2.0))
        with torch.no_grad():
            for value in moved.model.backbone.parameters():
                value.add_(share * torch.randn(value.shape, generator=generator))
        found.append(float(drift(moved, base, prompts, seed=0).mean()))
    assert 0 < found[0] < found[1]


def test_drift_is_the_kl_of_the_chain_of_a_committed_token():
    pipeline, base, prompts = small.pipeline(seed=1), small.pipeline(seed=2).model, small.prompts()
    rollout = roll_out(pipeline, prompts, (5, "held out"), small.recording(pipeline, virtual=False))
    total = 0.0
    for step in rollout.steps:
        for j, t in enumerate(rollout.diffusion_steps):
            condition = conditions_at(base, step, prompts, scale=1.0).of(step.committed)
            other = step_gaussian(base.head, pipeline.sampler, condition, step.chain.state[j], t).mean
            total += float(gaussian_kl(step.chain.mean[j], other.detach(), step.chain.std[j]).sum())
    assert float(drift(pipeline, base, prompts, seed=5).mean()) == pytest.approx(total / 16, rel=1e-4)


def test_a_look_with_an_origin_has_the_images_of_one_without_and_the_drift():
    pipeline, base, prompts = small.pipeline(seed=1), small.pipeline(seed=2).model, small.prompts()
    scorers = build_rewards((Brightness(),), "cpu")
    alone, both = (validate(pipeline, prompts, scorers, 5, base=each) for each in (None, base))
    assert torch.equal(alone.images, both.images)
    assert torch.equal(both.kl, drift(pipeline, base, prompts, seed=5))
    assert float(both.kl.min()) > 0
    assert float(alone.kl.abs().max()) == 0


def test_a_paired_difference_by_hand():
    # differences 1, 2, 3: mean 2, standard error 1/√3, Student's t with 2 degrees of freedom 4.3027 at 97.5 %
    found = paired_difference(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 3.0, 5.0]))
    assert (found["before"], found["after"], found["difference"], found["prompts"]) == (1.0, 3.0, 2.0, 3)
    assert found["ci95"] == pytest.approx([2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5], rel=1e-4)


def test_equal_differences_have_an_interval_of_no_width():
    found = paired_difference(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 1.5]))
    assert found["ci95"] == [0.5, 0.5]
