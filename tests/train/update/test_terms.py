from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.estimator import MultiTrajectory
from margrpo.components.selector import Committed, Every
from margrpo.records import Transitions
from margrpo.testing import small
from margrpo.train.update.batches import ImageStep
from margrpo.train.update.step_losses import loss_terms, step_losses
from margrpo.train.update.terms import Chunk, Terms, terms_of

ADVANTAGES = torch.tensor([1.0, -2.0, 0.0, 0.5])


def terms(tokens: int, transitions: int) -> Terms:
    rows, place = torch.arange(tokens), torch.arange(1.0, transitions * tokens + 1).view(transitions, 1, tokens, 1)
    state, split = place.expand(-1, 2, -1, 3), tokens // 3
    everywhere = torch.ones(1, tokens, dtype=torch.bool)
    backwards = Transitions(everywhere, state.flip(2), -state.flip(2), state.flip(2), rows.flip(0))
    sources = tuple((backwards, part) for part in (rows[:split], rows[split:]))
    return Terms(rows, torch.ones(tokens), sources, None, None)


@settings(derandomize=True, deadline=None)
@given(tokens=st.integers(1, 9), transitions=st.integers(1, 5), size=st.integers(1, 60))
def test_chunks_cover_every_token_at_every_transition_once_and_are_no_larger_than_asked(
    tokens: int, transitions: int, size: int
):
    seen, every = torch.zeros(transitions, tokens), terms(tokens, transitions)
    for chunk in every.chunks(size):
        part = seen[chunk.transitions, chunk.tokens]
        assert 0 < part.numel() <= size
        state, target, std = every.gathered(chunk)
        part += state[:, 0, :, 0]
        assert torch.equal(target, -state)
        assert torch.equal(std, state)
    assert torch.equal(seen.flatten(), torch.arange(1.0, transitions * tokens + 1))


def test_terms_hold_the_tokens_of_the_units_of_a_batch_by_the_number_of_their_chains():
    pipeline = small.pipeline()
    rollout = small.rollout(pipeline)
    estimator = MultiTrajectory(trajectories=2, where=Committed(), weight=0.5)
    method = small.method(pipeline, selector=Every(), estimator=estimator)
    every = step_losses(method, rollout, ADVANTAGES, [step.unknown for step in rollout.steps])
    parts = partial(loss_terms, method, rollout)
    batch = [ImageStep(0, 1, 0, 1.0), ImageStep(1, 0, 1, 1.0), ImageStep(1, 3, 1, 1.0)]
    found = {each.chains: each for each in terms_of(lambda step: parts(every[step]), ADVANTAGES, batch)}
    assert set(found) == {1, 2}
    for chains, where in ((2, lambda step: step.committed), (1, lambda step: step.unknown & ~step.committed)):
        rows, advantages, states = [], [], []
        for slot, each_image in enumerate(batch):
            step = rollout.steps[each_image.step]
            tokens = where(step)[each_image.image].nonzero()[:, 0]
            rows += (slot * 4 + tokens).tolist()
            advantages += [float(ADVANTAGES[each_image.image])] * len(tokens)
            chain = rollout.trajectories.some(0, 2) if chains == 2 else step.chain
            alone = torch.zeros_like(step.unknown)
            alone[each_image.image] = where(step)[each_image.image]
            states.append(chain.state[:, :, chain.rows(alone)])
        ours = found[chains]
        assert ours.rows.tolist() == rows
        assert ours.advantage.tolist() == advantages
        assert torch.equal(ours.gathered(Chunk(slice(0, len(rows)), slice(None)))[0], torch.cat(states, 2))
        weight = 0.5 if chains == 2 else 1.0
        assert torch.allclose(ours.surrogate, torch.full((len(rows),), weight / every[0].divisor))
        assert ours.penalty is not None
