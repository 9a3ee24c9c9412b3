import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from margrpo_example.disputed import Disputed, disagreement
from torch import Tensor

from margrpo import MargrpoError
from margrpo.components.selector import Uncommitted
from margrpo.maths.dealing import Prompt, grouped
from margrpo.records import ARStep, Chain, Needs, Rollout


def rollout(tokens: Tensor, group: int) -> Rollout:
    images, nothing = len(tokens), Chain(*[torch.zeros(0, 1, 0, 1)] * 4, torch.zeros(1, 0, 1), tokens[..., 0] > 9)
    half = (torch.arange(tokens.shape[1]) < tokens.shape[1] // 2).expand(images, -1)
    step = ARStep(0, tokens, torch.ones_like(half), half, 1.0, nothing, None)
    prompts = grouped([Prompt(str(number)) for number in range(images // group)], group)
    return Rollout(prompts, (step,), (), None, tokens, torch.zeros(images, 3, 2, 2), (0,))


def chosen(selector: Disputed, drawn: Rollout) -> list[list[int]]:
    mask = selector.select(drawn, drawn.steps[0])
    return [row.nonzero().flatten().tolist() for row in mask]


def test_the_place_where_a_group_differs_is_chosen_in_each_of_its_images() -> None:
    tokens = torch.zeros(4, 4, 1)
    tokens[0, 1] = tokens[2, 0] = 1.0  # the first group differs at place 1, the second at place 0
    assert chosen(Disputed(fraction=0.25), rollout(tokens, 2)) == [[1], [1], [0], [0]]


def test_candidates_are_the_committed_tokens_unless_given() -> None:
    tokens = torch.zeros(2, 4, 1)
    tokens[0, 1], tokens[0, 3] = 1.0, 2.0
    drawn = rollout(tokens, 2)
    assert chosen(Disputed(fraction=0.5), drawn) == [[1], [1]]
    assert chosen(Disputed(fraction=0.5, within=Uncommitted()), drawn) == [[3], [3]]


@given(fraction=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_larger_share_only_adds_tokens(fraction: float, seed: int) -> None:
    drawn = rollout(torch.randn(4, 6, 2, generator=torch.Generator().manual_seed(seed)), 2)
    some, half = (Disputed(fraction=share).select(drawn, drawn.steps[0]) for share in (fraction / 2, fraction))
    assert (some & ~half).sum() == 0
    assert (half & ~drawn.steps[0].committed).sum() == 0


def test_disagreement_is_the_std_over_the_group() -> None:
    tokens = torch.tensor([[[0.0, 2.0]], [[4.0, 2.0]]])
    assert disagreement(tokens, torch.tensor([0, 0])).tolist() == [[1.0], [1.0]]


def test_it_needs_what_its_candidates_need() -> None:
    assert vars(Disputed().needs()) == vars(Needs())
    assert Disputed(within=Uncommitted()).needs().virtual


def test_a_fraction_of_zero_is_refused() -> None:
    with pytest.raises(MargrpoError, match="fraction = 0 must be greater than 0 and at most 1"):
        Disputed(fraction=0)
