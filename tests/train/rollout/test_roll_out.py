from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.guidance import Constant, Linear
from margrpo.components.sampler import Ddpm
from margrpo.components.selector import Committed, Consistent, Random, Uncertain, Uncommitted
from margrpo.components.timesteps import Random as Timesteps
from margrpo.contracts import Guidance, Selector
from margrpo.declare import component
from margrpo.maths import noise
from margrpo.testing import small
from margrpo.testing.strategies import guidances, samplers, seeds
from margrpo.train.assemble import assemble, recording_of
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.step import collect

KEY = ("seed", 3)
situations = given(seed=seeds, sampler=samplers(), guidance=guidances())
some = settings(derandomize=True, deadline=None, max_examples=25)
CLOSE = 1e-4
"""How far float32 lets tokens of the order of 1 drift when matrices of another size are multiplied."""
FAR = 1e-2
"""The same where single tokens are drawn by few steps: the first divides by √ᾱ, 5e-5, and float64 leaves 2e-15;
2e-3 was seen in float32."""


@some
@situations
def test_an_image_is_the_same_alone_in_a_batch_and_in_another_order(seed: int, sampler: Ddpm, guidance: Guidance):
    pipeline, prompts = small.pipeline(seed=seed, sampler=sampler, guidance=guidance), small.prompts()
    together = roll_out(pipeline, prompts, KEY)
    backwards = roll_out(pipeline, prompts.at([3, 2, 1, 0]), KEY)
    assert torch.allclose(backwards.tokens.flip(0), together.tokens, rtol=FAR, atol=FAR)
    for i in range(4):
        alone = roll_out(pipeline, prompts.part(slice(i, i + 1)), KEY)
        assert torch.allclose(alone.tokens[0], together.tokens[i], rtol=FAR, atol=FAR)


@some
@situations
def test_what_is_recorded_changes_no_image(seed: int, sampler: Ddpm, guidance: Guidance):
    pipeline, prompts = small.pipeline(seed=seed, sampler=sampler, guidance=guidance), small.prompts()
    nothing = roll_out(pipeline, prompts, KEY)
    for virtual, trajectories in ((False, 0), (False, 2), (True, 2)):
        recording = small.recording(pipeline, virtual=virtual, trajectories=trajectories)
        found = roll_out(pipeline, prompts, KEY, recording)
        assert torch.allclose(found.images, nothing.images, rtol=CLOSE, atol=CLOSE)
        assert virtual or torch.equal(found.images, nothing.images)  # the same matrices: to the last bit


@some
@situations
def test_another_key_draws_another_image_and_the_same_key_the_same_bits(seed: int, sampler: Ddpm, guidance: Guidance):
    pipeline, prompts = small.pipeline(seed=seed, sampler=sampler, guidance=guidance), small.prompts()
    first, again, other = (roll_out(pipeline, prompts, key).tokens for key in (KEY, KEY, ("seed", 4)))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first[0], first[1])  # two samples of one prompt


@some
@situations
def test_steps_record_what_was_unknown_before_and_commit_every_token_once(seed: int, sampler: Ddpm, guidance: Guidance):
    pipeline = small.pipeline(side=3, steps=4, seed=seed, sampler=sampler, guidance=guidance)
    rollout = small.rollout(pipeline)
    counts, known = pipeline.unmasking.counts(9), torch.zeros(4, 9, dtype=torch.bool)
    for i, step in enumerate(rollout.steps):
        assert step.index == i
        assert torch.equal(step.unknown, ~known)
        assert not bool((step.committed & known).any())
        assert step.unknown.sum(1).tolist() == [counts[i]] * 4
        known = known | step.committed
        assert (~known).sum(1).tolist() == [counts[i + 1]] * 4
        assert torch.equal(step.tokens[~step.unknown], rollout.tokens[~step.unknown])
        assert torch.equal(step.tokens[step.unknown], torch.zeros_like(step.tokens[step.unknown]))
        made = step.chain.sample[0, step.chain.rows(step.committed)]
        assert torch.equal(made, rollout.tokens[step.committed])
        assert step.guidance == guidance.scale(9, counts[i + 1])
    assert bool(known.all())


@some
@situations
def test_previous_predictions_are_those_of_the_step_before(seed: int, sampler: Ddpm, guidance: Guidance):
    rollout = small.rollout(small.pipeline(seed=seed, sampler=sampler, guidance=guidance))
    assert rollout.steps[0].previous is None
    for before, step in pairwise(rollout.steps):
        assert torch.equal(step.previous[before.unknown], before.chain.sample[0])


@some
@situations
def test_trajectories_are_drawn_at_the_condition_and_guidance_of_commitment(
    seed: int, sampler: Ddpm, guidance: Guidance
):
    pipeline = small.pipeline(seed=seed, sampler=sampler, guidance=guidance)
    rollout = small.rollout(pipeline, trajectories=2)
    chains, keep = rollout.trajectories, rollout.diffusion_steps
    for step in rollout.steps:
        known = conditions_at(pipeline.model, step, rollout.prompts)
        rows = step.committed.flatten().nonzero()[:, 0]
        for j, t in enumerate(keep):
            again = step_gaussian(pipeline.model.head, sampler, known.of(step.committed), chains.state[j][:, rows], t)
            assert torch.allclose(again.mean, chains.mean[j][:, rows], rtol=1e-3, atol=1e-3)
    everything = torch.ones(4, 4, dtype=torch.bool)
    assert torch.equal(chains.drawn, everything)
    assert chains.sample.shape == (2, 16, small.CHANNELS)


@pytest.mark.parametrize("selector", [Committed(), Consistent(), Random(fraction=0.5, within=Uncommitted())])
def test_only_tokens_that_are_selected_somewhere_get_chains_of_their_own(selector: Selector, tmp_path: Path):
    estimator, late = MultiTrajectory(trajectories=2), Timesteps(ar_steps=1, transitions=1)
    recipe = small.recipe(tmp_path, selector=selector, estimator=estimator, timesteps=late)
    session = assemble(recipe)
    rollout = collect(session, 0)
    selected = torch.stack([selector.select(rollout, step) for step in rollout.steps]).any(0)
    assert 0 < int(selected.sum()) < selected.numel()
    assert torch.equal(rollout.trajectories.drawn, selected)
    everything = recording_of(session, noise.generator((*rollout.key, "timesteps")))
    whole = roll_out(session.pipeline, rollout.prompts, rollout.key, replace(everything, usable=None))
    rows = whole.trajectories.rows(selected)
    assert torch.allclose(whole.trajectories.sample[:, rows], rollout.trajectories.sample, atol=CLOSE, rtol=CLOSE)


def test_where_uncertain_tokens_are_looked_for_all_have_chains_of_their_own(tmp_path: Path):
    estimator = MultiTrajectory(trajectories=2, where=Uncertain())
    session = assemble(
        small.recipe(tmp_path, selector=Committed(), estimator=estimator, timesteps=Timesteps(ar_steps=1))
    )
    assert bool(collect(session, 0).trajectories.drawn.all())


def test_chains_of_a_few_images_at_a_time_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch):
    pipeline, found = small.pipeline(guidance=Linear(weight=3.0)), []
    for at_once in (1, 3 * 4 * 2, 10_000):
        monkeypatch.setattr("margrpo.train.rollout.roll_out.DRAWN_AT_ONCE", at_once)
        found.append(small.rollout(pipeline, trajectories=2).trajectories)
    for chain in found[1:]:
        for name in ("state", "next", "mean", "std", "sample"):
            assert torch.allclose(getattr(chain, name), getattr(found[0], name), atol=CLOSE, rtol=CLOSE), name
        assert torch.equal(chain.drawn, found[0].drawn)


def test_only_the_chosen_steps_and_transitions_are_stored():
    pipeline = small.pipeline(steps=3)
    kept = roll_out(pipeline, small.prompts(), KEY, Recording(steps=(1,), transitions=(3, 1)))
    assert [step.index for step in kept.steps] == [1]
    assert kept.steps[0].chain.state.shape[:2] == (2, 1)
    assert roll_out(pipeline, small.prompts(), KEY).steps == ()


def test_trajectories_have_noise_of_their_own_and_more_of_them_leave_the_first_as_they_are():
    pipeline = small.pipeline()
    few, many = (small.rollout(pipeline, trajectories=k).trajectories for k in (2, 4))
    assert torch.allclose(many.sample[:2], few.sample, rtol=CLOSE, atol=CLOSE)
    samples = [*many.sample, small.rollout(pipeline).tokens.flatten(0, 1)]
    assert not any(torch.allclose(a, b) for i, a in enumerate(samples) for b in samples[:i])


def test_a_token_has_noise_of_its_own_at_every_step():
    rollout = small.rollout(small.pipeline())
    for before, step in pairwise(rollout.steps):
        starts = (each.chain.state[0, 0, each.chain.rows(step.unknown)] for each in (before, step))
        assert bool((torch.sub(*starts).abs().amax(-1) > 0.01).all())


def test_only_kept_steps_and_transitions_are_kept():
    pipeline = small.pipeline()
    recording = Recording(steps=(0, 2), transitions=(3, 1), virtual=frozenset({0}))
    rollout = roll_out(pipeline, small.prompts(), KEY, recording)
    assert [step.index for step in rollout.steps] == [0, 2]
    assert rollout.diffusion_steps == (3, 1)
    assert all(step.chain.state.shape[0] == 2 for step in rollout.steps)
    assert torch.equal(rollout.steps[0].chain.drawn, rollout.steps[0].unknown)
    assert torch.equal(rollout.steps[1].chain.drawn, rollout.steps[1].committed)
    assert rollout.trajectories is None


def test_tokens_are_committed_in_an_order_that_is_uniform():
    # Chi-squared with 3 degrees of freedom over 1,200 images: 16.3 is passed in one of 1,000 keys; the keys are fixed.
    pipeline, counts = small.pipeline(steps=2, sampler=Ddpm(steps=2)), torch.zeros(4)
    recording = Recording(steps=(1,), transitions=(1,))
    for key in range(300):
        (step,) = roll_out(pipeline, small.prompts(), (key,), recording).steps
        counts += (~step.unknown).sum(0)
    expected = float(counts.sum()) / 4
    assert float(((counts - expected) ** 2 / expected).sum()) < 16.3


@pytest.mark.parametrize("guidance", [Constant(weight=2.0), Linear(weight=3.0)])
def test_without_guidance_the_null_prompt_is_never_asked(guidance: Guidance):
    pipeline = small.pipeline()
    with torch.no_grad():
        pipeline.model.backbone.fake_latent.fill_(torch.nan)
    assert bool(small.rollout(pipeline).tokens.isfinite().all())
    assert not bool(small.rollout(replace(pipeline, guidance=guidance)).tokens.isfinite().all())


def test_a_virtual_draw_uses_the_noise_of_its_own_place():
    pipeline = small.pipeline()
    virtual, plain = (small.rollout(pipeline, virtual=each, trajectories=0) for each in (True, False))
    for with_all, without in zip(virtual.steps, plain.steps, strict=True):
        rows = with_all.chain.rows(with_all.committed)
        assert torch.allclose(with_all.chain.sample[:, rows], without.chain.sample, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize(("guidance", "halves"), [(Constant(), 1), (Constant(weight=2.0), 2)])
def test_the_head_is_evaluated_once_for_each_draw_and_twice_with_guidance(guidance: Guidance, halves: int):
    pipeline, rows = small.pipeline(guidance=guidance), []
    pipeline.model.head.net.register_forward_hook(lambda net, given, output: rows.append(output[..., 0].numel()))
    small.rollout(pipeline, virtual=False, trajectories=3)
    images, tokens, steps = 4, 4, 4
    assert sum(rows) == halves * images * tokens * steps * (1 + 3)


def test_a_step_without_guidance_is_resampled_without_it_beside_guided_ones():
    @component
    class Later:
        """Guidance from the second AR step on."""

        def scale(self, tokens: int, remaining: int) -> float:
            """1 at first, then 3."""
            return 1.0 if remaining == 3 else 3.0

    pipeline = small.pipeline(guidance=Later())
    rollout = small.rollout(pipeline, trajectories=1)
    assert [step.guidance for step in rollout.steps] == [1.0, 3.0, 3.0]
    for step in rollout.steps:
        known = conditions_at(pipeline.model, step, rollout.prompts)
        rows = step.committed.flatten().nonzero()[:, 0]
        again = step_gaussian(
            pipeline.model.head, pipeline.sampler, known.of(step.committed), rollout.trajectories.state[0][:, rows], 3
        )
        assert torch.allclose(again.mean, rollout.trajectories.mean[0][:, rows], atol=1e-4)


def test_progress_is_told_after_each_ar_step_and_changes_nothing():
    pipeline, told = small.pipeline(), []
    seen = roll_out(pipeline, small.prompts(), ("x",), progress=lambda taken, steps: told.append((taken, steps)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert torch.equal(seen.tokens, roll_out(pipeline, small.prompts(), ("x",)).tokens)
