import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.selector import Committed, Every
from margrpo.testing import small
from margrpo.train.batches import Unit
from margrpo.train.shares import shares
from margrpo.train.terms import Terms, terms_of

ADVANTAGES = torch.tensor([1.0, -2.0, 0.0, 0.5])


def terms(tokens: int, transitions: int) -> Terms:
    rows, state = torch.arange(tokens), torch.zeros(transitions, 2, tokens, 3)
    return Terms(rows, torch.ones(tokens), state, state, state, None, None)


@settings(derandomize=True, deadline=None)
@given(tokens=st.integers(1, 9), transitions=st.integers(1, 5), size=st.integers(1, 60))
def test_pieces_cover_every_token_at_every_transition_once_and_are_no_larger_than_asked(
    tokens: int, transitions: int, size: int
):
    seen = torch.zeros(transitions, tokens)
    for piece in terms(tokens, transitions).cut(size):
        part = seen[piece.transitions, piece.tokens]
        assert 0 < part.numel() <= size
        part += 1
    assert bool((seen == 1).all())


def test_terms_hold_the_tokens_of_the_units_of_a_batch_by_the_number_of_their_chains():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    estimator = MultiTrajectory(trajectories=2, where=Committed(), weight=0.5)
    method = small.method(pipeline, selector=Every(), estimator=estimator)
    every = shares(method, rollout, ADVANTAGES, [step.unknown for step in rollout.steps])
    batch = [Unit(0, 1, 0, 1.0), Unit(1, 0, 1, 1.0), Unit(1, 3, 1, 1.0)]
    found = {each.chains: each for each in terms_of(method, rollout, every, ADVANTAGES, batch)}
    assert set(found) == {1, 2}
    for chains, where in ((2, lambda step: step.committed), (1, lambda step: step.unknown & ~step.committed)):
        rows, advantages, states = [], [], []
        for slot, unit in enumerate(batch):
            step = rollout.steps[unit.step]
            tokens = where(step)[unit.image].nonzero()[:, 0]
            rows += (slot * 4 + tokens).tolist()
            advantages += [float(ADVANTAGES[unit.image])] * len(tokens)
            chain = rollout.trajectories.some(0, 2) if chains == 2 else step.chain
            alone = torch.zeros_like(step.unknown)
            alone[unit.image] = where(step)[unit.image]
            states.append(chain.state[:, :, chain.rows(alone)])
        ours = found[chains]
        assert ours.rows.tolist() == rows
        assert ours.advantage.tolist() == advantages
        assert torch.equal(ours.state, torch.cat(states, 2))
        weight = 0.5 if chains == 2 else 1.0
        assert torch.allclose(ours.surrogate, torch.full((len(rows),), weight / every[0].terms))
        assert ours.penalty is not None
