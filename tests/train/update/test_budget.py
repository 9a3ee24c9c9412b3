from weakref import finalize

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.selector import Every
from margrpo.plan.memory import BUDGET, GIB, PIECE
from margrpo.testing import small
from margrpo.train.rollout.roll_out import Pipeline
from margrpo.train.update.backward import backward
from margrpo.train.update.budget import Budget, Footprint, bytes_of, kept, measure_footprint
from margrpo.train.update.statistics import UpdateStats

WIDE = small.policy(tokens=16, width=64, encoder_depth=2, decoder_depth=2, head_width=64, head_depth=2)
ADVANTAGES = torch.tensor([1.0, -1.0, 2.0, 0.5])


def wide() -> Pipeline:
    return small.pipeline(side=4, steps=4, made=WIDE)


def test_a_budget_that_is_not_set_depends_on_the_device_alone():
    assert bytes_of(0.5, "cpu") == GIB // 2
    assert bytes_of(None, "cpu") == bytes_of(None, "cpu") == BUDGET


@settings(derandomize=True, deadline=None, max_examples=20)
@given(known=st.lists(st.integers(0, 16), min_size=1, max_size=4))
def test_what_a_pass_of_the_backbone_keeps_is_foreseen(known: list[int]):
    pipeline = wide()
    model = pipeline.model
    of = Budget(0, measure_footprint(model, pipeline.sampler))
    unknown = torch.arange(16)[None] >= torch.tensor(known)[:, None]
    prefix, tokens, found = model.null_prefix(len(known)), torch.randn(len(known), 16, small.CHANNELS), []
    taken = kept(model, lambda: found.append(model.condition(tokens, unknown, prefix)))
    foreseen = of.footprint.once + sum(of.image(each, 1) for each in known)
    assert taken == pytest.approx(foreseen, rel=0.05)


def test_weights_that_autocast_copies_are_counted_once_for_a_pass_not_for_each_image():
    pipeline = wide()
    plain, cast = (
        measure_footprint(pipeline.model, pipeline.sampler, dtype=each) for each in (torch.float32, torch.bfloat16)
    )
    weights = sum(value.numel() for name, value in pipeline.model.backbone.named_parameters() if value.ndim == 2)
    assert plain.once < 0.1 * plain.image
    assert cast.once == pytest.approx(2 * weights, rel=0.2)
    assert cast.image < plain.image
    budget = Budget(1_000_000, cast)
    assert budget.room == pytest.approx(1_000_000 * (1 - 1 / PIECE) - cast.once)


def test_with_a_frozen_head_its_footprint_is_smaller_and_a_frozen_backbone_still_takes_room():
    pipeline = wide()
    trained = measure_footprint(pipeline.model, pipeline.sampler)
    pipeline.model.head.requires_grad_(False)
    frozen = measure_footprint(pipeline.model, pipeline.sampler)
    assert frozen.chain < trained.chain
    assert frozen.image == trained.image
    pipeline.model.requires_grad_(False)
    assert 0.3 * trained.image < measure_footprint(pipeline.model, pipeline.sampler).image < trained.image


@settings(derandomize=True, deadline=None)
@given(chains=st.integers(1, 64), halves=st.sampled_from((1, 2)), gib=st.sampled_from((0.01, 1.0)))
def test_a_piece_is_as_large_as_its_part_of_the_budget_allows(chains: int, halves: int, gib: float):
    budget = Budget(int(gib * GIB), Footprint(token=1e4, chain=2e4))
    pairs = budget.pairs(chains, halves)
    each = halves * (1e4 + chains * 2e4)
    assert pairs * each <= budget.bytes / PIECE or pairs == 1
    assert (pairs + 1) * each > budget.bytes / PIECE


class Kept:
    """The bytes that autograd keeps for the backward pass: now, and the most so far."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def keep(self, tensor: torch.Tensor) -> "Held":
        """What autograd keeps in the tensor's place; a list, so that its end is noticed."""
        self.now += tensor.nbytes
        self.most = max(self.most, self.now)
        held = Held([tensor])
        finalize(held, self.release, tensor.nbytes)
        return held

    def release(self, size: int) -> None:
        self.now -= size


class Held(list[torch.Tensor]):
    """A list that can be referred to weakly."""


def kept_by_update(k: int) -> int:
    """The bytes that one update keeps at most, in a budget that is small beside the work."""
    pipeline = wide()
    pipeline.model.head.requires_grad_(False)
    rollout = small.rollout(pipeline, trajectories=k)
    budget = Budget(2_000_000, measure_footprint(pipeline.model, pipeline.sampler))
    estimator = MultiTrajectory(trajectories=k)
    method = small.method(pipeline, selector=Every(), estimator=estimator, budget=budget)
    counted = Kept()
    with torch.autograd.graph.saved_tensors_hooks(counted.keep, lambda held: held[0]):
        backward(pipeline, method, rollout, ADVANTAGES, UpdateStats())
    return counted.most


def test_what_an_update_keeps_at_once_does_not_grow_with_the_number_of_trajectories():
    assert kept_by_update(32) <= 1.1 * kept_by_update(1)
