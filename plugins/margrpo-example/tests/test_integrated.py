import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from margrpo_example.integrated import Integrated

from margrpo import MargrpoError
from margrpo.testing import small

DRAWN = small.rollout(small.pipeline())
STEP = DRAWN.steps[0]


def test_committed_tokens_are_scored_by_what_was_drawn_and_others_by_its_mean() -> None:
    committed, others = Integrated().transitions(DRAWN, STEP, STEP.unknown)
    assert torch.equal(committed.where, STEP.committed)
    assert torch.equal(others.where, STEP.unknown & ~STEP.committed)
    assert torch.equal(committed.part()[1], STEP.chain.next[:, :, STEP.chain.rows(STEP.committed)])
    assert torch.equal(others.part()[1], STEP.chain.mean[:, :, STEP.chain.rows(others.where)])


@given(later=st.floats(0.01, 10))
def test_later_weighs_only_the_uncommitted(later: float) -> None:
    assert [each.weight for each in Integrated(later=later).transitions(DRAWN, STEP, STEP.unknown)] == [1.0, later]


def test_a_weight_of_zero_is_refused() -> None:
    with pytest.raises(MargrpoError, match="later = 0 must be greater than 0"):
        Integrated(later=0)
