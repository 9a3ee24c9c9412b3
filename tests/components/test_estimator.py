from functools import cache

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory, RaoBlackwell, Single
from margrpo.components.selector import Committed, Random, Uncertain
from margrpo.contracts import Estimator, Selector
from margrpo.records import Needs, Rollout
from margrpo.testing import small
from margrpo.testing.strategies import estimators, selectors

SEEDS = st.integers(0, 5)


@cache
def drawn(seed: int) -> Rollout:
    return small.rollout(small.pipeline(side=3, steps=4, seed=seed))


@settings(derandomize=True, deadline=None)
@given(seed=SEEDS, estimator=estimators(), selector=selectors())
def test_every_selected_token_is_in_exactly_one_record_of_transitions(
    seed: int, estimator: Estimator, selector: Selector
):
    rollout = drawn(seed)
    for step in rollout.steps:
        selected = selector.select(rollout, step)
        pieces = estimator.transitions(rollout, step, selected)
        assert torch.equal(sum(piece.where.int() for piece in pieces), selected.int())
        for piece in pieces:
            shape = (len(rollout.diffusion_steps), piece.chains, int(piece.where.sum()), small.CHANNELS)
            assert all(part.shape == shape for part in piece.part())


def test_single_takes_each_tokens_own_transitions_of_the_main_chain():
    rollout = drawn(0)
    step = rollout.steps[1]
    selected = Committed().select(rollout, step)
    (piece,) = Single().transitions(rollout, step, selected)
    places = step.chain.drawn.nonzero().tolist()
    for m, place in enumerate(selected.nonzero().tolist()):
        row = places.index(place)
        state, target, std = piece.part(slice(m, m + 1))
        assert torch.equal(state[:, :, 0], step.chain.state[:, :, row])
        assert torch.equal(target[:, :, 0], step.chain.next[:, :, row])
        assert torch.equal(std[:, :, 0], step.chain.std[:, :, row])


@settings(derandomize=True, deadline=None)
@given(seed=SEEDS, k=st.integers(1, 3), kind=st.sampled_from((MultiTrajectory, RaoBlackwell)))
def test_marked_tokens_take_k_chains_with_their_own_std_and_no_main_chain(seed: int, k: int, kind: type):
    rollout, chains = drawn(seed), drawn(seed).trajectories
    step, where = rollout.steps[1], Uncertain(fraction=0.5)
    selected, marked = step.unknown, where.select(rollout, step)
    piece = kind(trajectories=k, where=where, weight=0.5).transitions(rollout, step, selected)[0]
    rows = marked.flatten().nonzero()[:, 0]
    target = chains.next if kind is MultiTrajectory else chains.mean
    assert torch.equal(piece.where, marked)
    for ours, theirs in zip(piece.part(), (chains.state, target, chains.std), strict=True):
        assert torch.equal(ours, theirs[:, :k, rows])
    assert piece.weight == 0.5


def test_the_noise_of_a_committed_token_is_never_integrated_out():
    rollout = drawn(0)
    step, where = rollout.steps[1], Random(fraction=0.3)
    _, virtual, committed = RaoBlackwell(where=where).transitions(rollout, step, step.unknown)
    others = step.unknown & ~where.select(rollout, step)
    assert torch.equal(virtual.where, others & ~step.committed)
    assert torch.equal(committed.where, others & step.committed)
    assert torch.equal(virtual.part()[1], step.chain.mean[:, :, step.chain.rows(virtual.where)])
    assert torch.equal(committed.part()[1], step.chain.next[:, :, step.chain.rows(committed.where)])
    assert (virtual.weight, committed.weight) == (1.0, 1.0)


def test_needs_are_the_chains_and_what_marks_them():
    for kind in (MultiTrajectory, RaoBlackwell):
        assert vars(kind(trajectories=1).needs()) == vars(Needs(trajectories=1))
        needs = Needs(trajectories=2, virtual=True, everywhere=True)
        assert vars(kind(trajectories=1, where=Uncertain()).needs()) == vars(needs)
    assert vars(Single().needs()) == vars(Needs())


@settings(derandomize=True, deadline=None, max_examples=8)
@given(seed=SEEDS)
def test_with_the_main_std_k_chains_take_that_of_their_tokens_main_chain_at_this_step(seed: int):
    rollout, own = drawn(seed), MultiTrajectory(trajectories=3)
    main = MultiTrajectory(trajectories=3, std="main")
    assert vars(main.needs()) == vars(Needs(trajectories=3, virtual=True))
    for step in rollout.steps:
        (ours, _), (theirs, _) = (each.transitions(rollout, step, step.unknown) for each in (main, own))
        (state, target, std), (own_state, own_target, own_std) = ours.part(), theirs.part()
        assert torch.equal(state, own_state)
        assert torch.equal(target, own_target)
        for k in range(3):
            assert torch.equal(std[:, k], step.chain.std[:, 0])
        assert not torch.equal(std, own_std)
