from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory, RaoBlackwell, Single
from margrpo.components.guidance import Constant, Linear
from margrpo.components.objective import Clipped, OnPolicy, StepSum
from margrpo.components.penalty import GaussianKL, K3OfMeans
from margrpo.components.reference import Frozen
from margrpo.components.replay import Conditional, Guided, Released
from margrpo.components.sampler import Ddim, Ddpm
from margrpo.components.selector import Committed, Consistent, Every, Random, Uncertain, Uncommitted
from margrpo.components.trainable import Backbone, Head
from margrpo.components.weighting import Density, Std, Variance
from margrpo.contracts import Estimator, Objective, Replay, Selector, Weighting
from margrpo.records import Rollout
from margrpo.testing import small
from margrpo.testing.strategies import estimators, selectors
from margrpo.train.rollout.roll_out import Pipeline, roll_out
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats
from tests.train.update import plain

ADVANTAGES = torch.tensor([1.5, -0.5, 0.0, 0.25])
ESTIMATORS = (
    Single(),
    MultiTrajectory(trajectories=3),
    MultiTrajectory(trajectories=2, where=Uncertain(fraction=0.5), weight=0.5),
    RaoBlackwell(trajectories=2),
    RaoBlackwell(trajectories=3, where=Random(fraction=0.5), weight=2.0),
)
SELECTORS = (Every(), Committed(), Consistent(), Uncertain(fraction=0.75), Consistent(within=Random(fraction=0.75)))


@cache
def drawn(guided: bool) -> Rollout:
    """A rollout with a few transitions kept; the last noisy one amplifies rounding a thousandfold, and is left out."""
    pipeline = fresh(guided)
    recording = replace(small.recording(pipeline, trajectories=3), transitions=(4, 2))
    return roll_out(pipeline, small.prompts(), ("learn",), recording)


def fresh(guided: bool) -> Pipeline:
    if not guided:
        return small.pipeline(sampler=Ddpm(steps=5))
    return small.pipeline(guidance=Linear(weight=3.0), sampler=Ddim(steps=5, eta=0.8))


def streamed(pipeline: Pipeline, method: object, rollout: Rollout, stats: UpdateStats) -> torch.Tensor:
    pipeline.model.zero_grad()
    backward(pipeline, method, rollout, ADVANTAGES, stats)
    return small.gradients(pipeline.model)


def whole(pipeline: Pipeline, method: object, rollout: Rollout, old: plain.Old, penalty: object) -> torch.Tensor:
    pipeline.model.zero_grad()
    plain.loss(pipeline, method, rollout, ADVANTAGES, old=old, given=penalty).backward()
    return small.gradients(pipeline.model)


def same(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    """Equal up to what float32 leaves of sums in another order; gradients here are of the order of 1."""
    return float((ours - theirs).abs().max()) <= 2e-5 * max(0.1, float(theirs.abs().max()))


@pytest.mark.parametrize("replay", [Guided(), Conditional()], ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("objective", [OnPolicy(), Clipped(clip=0.02)], ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda c: type(c).__name__)
def test_the_streamed_gradient_is_that_of_the_whole_loss(
    selector: Selector, estimator: Estimator, objective: Objective, replay: Replay
):
    pipeline, rollout = fresh(True), drawn(True)
    penalty = GaussianKL(coefficient=0.3, reference=Frozen())
    parts = {"selector": selector, "estimator": estimator, "objective": objective, "replay": replay}
    method = small.method(pipeline, penalty=penalty, budget=small.budget(rows=5), **parts)
    stats, old = UpdateStats(), {}
    for update in range(objective.updates):  # the second at other weights, where ratios and the penalty are at work
        if update:
            plain.at_other_weights(pipeline, seed=update, share=1e-3)
        ours, theirs = streamed(pipeline, method, rollout, stats), whole(pipeline, method, rollout, old, penalty)
        assert same(ours, theirs)
    rao_blackwell_here = isinstance(estimator, RaoBlackwell) and isinstance(selector, Committed)
    assert float(theirs.abs().max()) > 0.01 or rao_blackwell_here  # nothing is left there, see below


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    selector=selectors(),
    estimator=estimators(),
    rows=st.integers(1, 400),
    units=st.integers(1, 8),
    weighting=st.sampled_from((Density(), Std(), Variance())),
    penalty=st.sampled_from((None, GaussianKL(reference=Frozen()), K3OfMeans(coefficient=0.5, reference=Frozen()))),
    guided=st.booleans(),
)
def test_however_the_pieces_are_cut_the_gradient_is_that_of_the_whole_loss(
    selector: Selector, estimator: Estimator, rows: int, units: int, weighting: Weighting, penalty: object, guided: bool
):
    pipeline, rollout = fresh(guided), drawn(guided)
    parts = {"selector": selector, "estimator": estimator, "weighting": weighting}
    method = small.method(pipeline, penalty=penalty, budget=small.budget(rows=rows, units=units), **parts)
    if not any(bool(selector.select(rollout, step)[ADVANTAGES != 0].any()) for step in rollout.steps):
        return
    plain.at_other_weights(pipeline, seed=0, share=0.01)
    assert same(streamed(pipeline, method, rollout, UpdateStats()), whole(pipeline, method, rollout, {}, penalty))


@settings(derandomize=True, deadline=None, max_examples=20)
@given(kind=st.sampled_from((MultiTrajectory, RaoBlackwell)), selector=selectors(), k=st.integers(1, 3))
def test_k_trajectories_have_the_mean_of_their_gradients_by_the_backbone(kind: type, selector: Selector, k: int):
    pipeline, rollout = fresh(True), drawn(True)
    apart = torch.stack(
        [
            streamed(
                pipeline,
                small.method(pipeline, selector=Every(), estimator=kind(trajectories=1)),
                replace(rollout, trajectories=rollout.trajectories.some(i, 1)),
                UpdateStats(),
            )
            for i in range(k)
        ]
    )
    method = small.method(pipeline, selector=Every(), estimator=kind(trajectories=k))
    assert same(streamed(pipeline, method, rollout, UpdateStats()), apart.mean(0))


@pytest.mark.parametrize("guided", [False, True])
def test_where_a_token_is_scored_at_its_own_condition_rao_blackwell_is_exactly_nothing(guided: bool):
    # Tokens committed at this step: z_i is z*, and weights and guidance are the same.
    pipeline, rollout, found = fresh(guided), drawn(guided), []
    for kind in (MultiTrajectory, RaoBlackwell):
        for selector in (Committed(), Uncommitted()):
            method = small.method(pipeline, selector=selector, estimator=kind(trajectories=3))
            found.append(float(streamed(pipeline, method, rollout, UpdateStats()).abs().max()))
    plain_here, plain_later, exact_here, exact_later = found
    assert exact_here <= 1e-4 * plain_here
    assert exact_later >= 1e-2 * plain_later


def test_only_the_tokens_that_matter_are_evaluated():
    pipeline, rollout = fresh(False), drawn(False)
    where, k, transitions = Uncertain(fraction=0.5), 3, len(rollout.diffusion_steps)
    for selector in (Every(), Committed(), Consistent()):
        stats, marked, others, all_selected = UpdateStats(), 0, 0, 0
        for step in rollout.steps:
            selected = selector.select(rollout, step)
            live = selected & (ADVANTAGES != 0)[:, None]
            marked += int((live & where.select(rollout, step)).sum())
            others += int((live & ~where.select(rollout, step)).sum())
            all_selected += int(selected.sum())
        method = small.method(pipeline, selector=selector, estimator=MultiTrajectory(trajectories=k, where=where))
        streamed(pipeline, method, rollout, stats)
        assert stats.evaluations == (marked * k + others) * transitions
        assert stats.tokens == all_selected


def counted(pipeline: Pipeline, method: object, rollout: Rollout) -> dict[str, int]:
    """How many rows each part of the model was given in one update."""
    model, rows, handles = pipeline.model, {}, []
    net, backbone = model.head.net, model.backbone.mae
    modulation = net.res_blocks[0].adaLN_modulation[1]
    parts = {"times": net.time_embed, "modulations": modulation, "chains": net.input_proj, "backbone": backbone}
    for name, part in parts.items():
        rows[name] = 0

        def count(_part: object, given: tuple[torch.Tensor, ...], name: str = name) -> None:
            tensor = given[0]
            rows[name] += {"backbone": len(tensor), "times": tensor.numel()}.get(name, tensor[..., :1].numel())

        handles.append(part.register_forward_pre_hook(count))
    streamed(pipeline, method, rollout, UpdateStats())
    for handle in handles:
        handle.remove()
    return rows


@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("rows", [3, 50, 100_000])
def test_modulations_are_shared_by_the_chains_and_times_embedded_once(guided: bool, rows: int):
    pipeline, rollout, halves = fresh(guided), drawn(guided), 2 if guided else 1
    transitions, live = len(rollout.diffusion_steps), (ADVANTAGES != 0)[:, None]
    selected = [Every().select(rollout, step) & live for step in rollout.steps]
    tokens = sum(int(mask.sum()) for mask in selected)
    for k in (1, 3):
        method = small.method(
            pipeline,
            selector=Every(),
            estimator=MultiTrajectory(trajectories=k),
            budget=small.budget(rows=rows, units=rows),
        )
        found = counted(pipeline, method, rollout)
        assert found["times"] == pipeline.sampler.steps
        assert found["modulations"] == halves * tokens * transitions
        assert found["chains"] == halves * tokens * transitions * k
        assert found["backbone"] == halves * sum(int(mask.any(1).sum()) for mask in selected)


def test_the_reference_reads_no_more_than_the_policy_does():
    pipeline, rollout = fresh(True), drawn(True)
    method = small.method(pipeline, selector=Every(), penalty=GaussianKL(reference=Frozen()))
    seen = []
    method.regularizer.reference.backbone.mae.register_forward_pre_hook(lambda _part, given: seen.append(len(given[0])))
    streamed(pipeline, method, rollout, UpdateStats())
    assert sum(seen) == 2 * len(rollout.steps) * int((ADVANTAGES != 0).sum())


def test_images_without_advantage_cost_nothing_and_count_in_the_mean():
    pipeline, rollout = fresh(False), drawn(False)
    method, stats = small.method(pipeline, selector=Every()), UpdateStats()
    backward(pipeline, method, rollout, torch.zeros(4), stats)
    assert (stats.evaluations, stats.surrogate) == (0, 0.0)
    assert all(value.grad is None for value in pipeline.model.parameters())
    # The value of the surrogate is the advantage: with one live image of four, a quarter of it.
    backward(pipeline, method, rollout, torch.tensor([0.0, 2.0, 0.0, 0.0]), stats)
    assert float(stats.surrogate) == pytest.approx(0.5)


def test_only_what_is_trained_gets_a_gradient_and_it_is_the_same_whatever_else_is_trained():
    everything = fresh(True)
    streamed(everything, small.method(everything), drawn(True), UpdateStats())
    for trained, other in ((Backbone(), Head()), (Head(), Backbone())):
        pipeline = fresh(True)
        pipeline.model.requires_grad_(False)
        for _, value in trained.parameters(pipeline.model):
            value.requires_grad_(True)
        streamed(pipeline, small.method(pipeline, budget=small.budget(rows=7)), drawn(True), UpdateStats())
        assert all(value.grad is None for _, value in other.parameters(pipeline.model))
        wanted = dict(everything.model.named_parameters())
        assert all(same(value.grad, wanted[name].grad) for name, value in trained.parameters(pipeline.model))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(rows=st.integers(1, 40), guidance=st.sampled_from((Constant(), Constant(weight=2.0))))
def test_the_value_of_the_loss_and_its_count_do_not_depend_on_the_pieces(rows: int, guidance: Constant):
    pipeline = small.pipeline(guidance=guidance, sampler=Ddpm(steps=3))
    rollout = small.rollout(pipeline)
    parts = {"selector": Every(), "estimator": MultiTrajectory(trajectories=3)}
    both = [UpdateStats(), UpdateStats()]
    for stats, size in zip(both, (rows, 10_000), strict=True):
        penalty = K3OfMeans(reference=Frozen())
        streamed(
            pipeline,
            small.method(pipeline, penalty=penalty, budget=small.budget(rows=size, units=size), **parts),
            rollout,
            stats,
        )
    assert both[0].evaluations == both[1].evaluations
    assert float(both[0].surrogate) == pytest.approx(float(both[1].surrogate), abs=1e-5)


def test_with_a_mean_for_each_ar_step_the_gradient_is_the_sum_of_what_each_ar_step_gives_alone():
    pipeline, rollout, objective = fresh(True), drawn(True), StepSum()
    method = small.method(pipeline, selector=Every(), objective=objective)
    together = streamed(pipeline, method, rollout, UpdateStats())
    alone = [
        streamed(pipeline, small.method(pipeline, selector=Every()), replace(rollout, steps=(step,)), UpdateStats())
        for step in rollout.steps
    ]
    assert len(alone) > 1
    assert same(together, torch.stack(alone).sum(0))


def test_a_penalty_with_tokens_of_its_own_falls_on_their_main_chains_whoever_carries_loss():
    pipeline, rollout = fresh(True), drawn(True)
    apart = GaussianKL(coefficient=0.3, reference=Frozen(), where=Uncommitted())
    shared = GaussianKL(coefficient=0.3, reference=Frozen())
    found = {}
    for name, penalty, selector, advantages in (
        ("both", apart, Committed(), ADVANTAGES),
        ("surrogate", None, Committed(), ADVANTAGES),
        ("penalty", apart, Committed(), torch.zeros(4)),
        ("alone", shared, Uncommitted(), torch.full((4,), 1e-30)),
    ):
        pipeline = fresh(True)
        method = small.method(pipeline, selector=selector, penalty=penalty)
        plain.at_other_weights(pipeline, seed=0, share=0.01)
        backward(pipeline, method, rollout, advantages, UpdateStats())
        found[name] = small.gradients(pipeline.model)
    assert same(found["both"], found["surrogate"] + found["penalty"])
    assert same(found["penalty"], found["alone"])
    assert float(found["penalty"].abs().max()) > 0.01


def test_dropout_in_replay_is_keyed_by_the_rollout_and_leaves_the_policy_and_the_global_generator_as_they_were():
    pipeline = small.pipeline(made=small.policy(dropout=0.5))
    rollout = small.rollout(pipeline)
    plain_replay = Released(mask_at="before", min_variance=0.0)
    on, off = (small.method(pipeline, selector=Every(), replay=one) for one in (plain_replay, Conditional()))
    before = torch.random.get_rng_state()
    first, again, without = (streamed(pipeline, method, rollout, UpdateStats()) for method in (on, on, off))
    other = streamed(pipeline, on, replace(rollout, key=("another",)), UpdateStats())
    assert torch.equal(before, torch.random.get_rng_state())
    assert not any(part.training for part in pipeline.model.modules())
    assert torch.equal(first, again)
    assert not same(first, without)
    assert not same(first, other)


def test_what_is_dropped_depends_neither_on_the_pieces_nor_on_who_else_carries_loss():
    pipeline = small.pipeline(made=small.policy(dropout=0.5))
    rollout, found = small.rollout(pipeline), []
    for units in (1, 3, 100):
        method = small.method(pipeline, selector=Every(), replay=Released(), budget=small.budget(rows=50, units=units))
        found.append(streamed(pipeline, method, rollout, UpdateStats()))
    assert same(found[1], found[0])
    assert same(found[2], found[0])
    alone = []
    for image in range(4):
        pipeline.model.zero_grad()
        one = torch.where(torch.arange(4) == image, ADVANTAGES, 0.0)
        backward(pipeline, method, rollout, one, UpdateStats())
        alone.append(small.gradients(pipeline.model))
    assert same(torch.stack(alone).sum(0), found[0])


def test_at_unchanged_weights_the_ratio_of_a_later_update_is_1_with_dropout_too():
    pipeline = small.pipeline(made=small.policy(dropout=0.5))
    rollout, stats = small.rollout(pipeline), UpdateStats()
    method = small.method(pipeline, selector=Every(), objective=Clipped(updates=2), replay=Released())
    values = []
    for _ in range(2):
        stats.surrogate = 0.0
        backward(pipeline, method, rollout, ADVANTAGES, stats)
        values.append(stats.surrogate)
    assert values[0] == values[1]
