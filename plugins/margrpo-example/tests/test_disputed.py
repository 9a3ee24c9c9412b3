from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from margrpo_example.disputed import Disputed, disagreement
from torch import Tensor

from margrpo import MargrpoError
from margrpo.components.selector import Every
from margrpo.records import Needs
from margrpo.testing import small

DRAWN = small.rollout(small.pipeline())  # two groups of two images of four tokens
STEP = DRAWN.steps[0]  # of which this step commits one in each image


def chosen(selector: Disputed, tokens: Tensor) -> list[list[int]]:
    mask = selector.select(replace(DRAWN, tokens=tokens), STEP)
    return [row.nonzero().flatten().tolist() for row in mask]


def test_the_place_where_a_group_differs_is_chosen_in_each_of_its_images() -> None:
    tokens = torch.zeros(4, 4, 3)
    tokens[0, 1] = tokens[2, 0] = 1.0  # the first group differs at place 1, the second at place 0
    assert chosen(Disputed(fraction=0.25, within=Every()), tokens) == [[1], [1], [0], [0]]


@given(fraction=st.floats(0.01, 1))
def test_only_committed_tokens_are_candidates_unless_told_otherwise(fraction: float) -> None:
    among_all = Disputed(fraction=fraction, within=Every()).select(DRAWN, STEP)
    assert torch.equal(Disputed(fraction=fraction).select(DRAWN, STEP), among_all & STEP.committed)


@given(fraction=st.floats(0.01, 1))
def test_a_larger_share_only_adds_tokens(fraction: float) -> None:
    some, more = (Disputed(fraction=share, within=Every()).select(DRAWN, STEP) for share in (fraction / 2, fraction))
    assert not (some & ~more).any()
    assert some.any()


def test_disagreement_is_the_std_over_the_group() -> None:
    tokens = torch.tensor([[[0.0, 2.0]], [[4.0, 2.0]]])
    assert disagreement(tokens, torch.tensor([0, 0])).tolist() == [[1.0], [1.0]]


def test_it_needs_what_its_candidates_need() -> None:
    assert vars(Disputed().needs()) == vars(Needs())
    assert Disputed(within=Every()).needs().virtual


def test_a_fraction_of_zero_is_refused() -> None:
    with pytest.raises(MargrpoError, match="fraction = 0 must be greater than 0 and at most 1"):
        Disputed(fraction=0)
