import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths.tokens import cosine_counts, largest, progress, share, uncertainty
from margrpo.testing.strategies import seeds

from ..golden.reading import recorded

GOLDEN = recorded("mar_mask_len")


@pytest.mark.golden("mar_mask_len")
@pytest.mark.parametrize(("steps", "tokens"), [(64, 256), (16, 64), (8, 16), (256, 256), (64, 1024)])
def test_counts_are_those_of_the_published_mar(steps: int, tokens: int):
    counts, case = torch.tensor(cosine_counts(tokens, steps)), f"iter{steps}_seq{tokens}"
    assert torch.equal(counts[:-1] - counts[1:], GOLDEN[f"{case}.n_pred"])
    # The published mask keeps one token at the last step, although that step commits it.
    assert torch.equal(counts[1:].clamp(min=1).float(), GOLDEN[f"{case}.mask_len"])
    floor = GOLDEN[f"{case}.raw_floor"]
    assert torch.equal(floor, floor.floor())
    clamped = torch.minimum(floor, counts[:-1] - 1.0).clamp(min=1)
    assert torch.equal(counts[1:-1].float(), clamped[:-1])


@settings(derandomize=True, deadline=None, max_examples=300)
@given(tokens=st.integers(1, 1100), steps=st.integers(1, 300))
def test_counts_are_the_designs(tokens: int, steps: int):
    # m_0 = n, m_{i+1} = max(1, min(m_i − 1, ⌊n·cos(π/2·(i+1)/s)⌋)) for i < s − 1, m_s = 0
    counts = cosine_counts(tokens, steps)
    assert (counts[0], counts[-1], len(counts)) == (tokens, 0, steps + 1)
    for i in range(steps - 1):
        share = tokens * math.sin(math.pi / 2 * (steps - i - 1) / steps)  # the same cosine, seen from the other end
        # Where n·cos is whole (n even, (i+1)/s = 2/3), rounding decides, as it does in the published code.
        floors = {math.floor(share - 1e-9), math.floor(share + 1e-9)}
        assert counts[i + 1] in {max(1, min(counts[i] - 1, floor)) for floor in floors}


@settings(derandomize=True, deadline=None, max_examples=300)
@given(data=st.data(), tokens=st.integers(1, 600))
def test_every_step_commits_a_token_where_there_are_enough(data: st.DataObject, tokens: int):
    counts = cosine_counts(tokens, data.draw(st.integers(1, tokens)))
    assert counts[0] == tokens
    assert counts[-1] == 0
    assert all(before > after for before, after in pairwise(counts))


def test_uncertainty_by_hand():
    # Channel 0: 0 and 2, std 1; channel 1: 5 and 5, std 0; unbiased they would be √2 and 0.
    samples = torch.tensor([[[0.0, 5.0]], [[2.0, 5.0]]])
    assert torch.allclose(uncertainty(samples), torch.tensor([0.5]))


@settings(derandomize=True, deadline=None)
@given(seed=seeds, k=st.integers(1, 6))
def test_uncertainty_grows_with_the_spread_and_not_with_the_place(seed: int, k: int):
    samples = torch.randn(k, 4, 3, generator=torch.Generator().manual_seed(seed))
    found = uncertainty(samples)
    assert torch.allclose(uncertainty(samples * 2 + 3), 2 * found, atol=1e-5)
    assert (k > 1) == bool((found > 0).all())


@settings(derandomize=True, deadline=None)
@given(hundredths=st.integers(1, 100), tokens=st.integers(1, 1100))
def test_a_share_is_the_whole_part_of_the_decimal_fraction(hundredths: int, tokens: int):
    assert share(hundredths / 100, tokens) == max(1, hundredths * tokens // 100)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, count=st.integers(1, 7))
def test_the_largest_are_as_many_as_asked_for_and_none_outside_is_larger(seed: int, count: int):
    score = torch.randn(3, 7, generator=torch.Generator().manual_seed(seed))
    chosen = largest(score, count)
    assert chosen.sum(1).tolist() == [count] * 3
    for row, mask in zip(score, chosen, strict=True):
        assert count == 7 or row[mask].min() > row[~mask].max()


def test_progress_by_hand():
    final = torch.tensor([[1.0, 0.0]])
    # from 90° to 0°: 1 − 0; from 45° to 90°: 0 − √½
    towards = progress(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]), final)
    away = progress(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]]), final)
    assert torch.allclose(torch.cat([towards, away]), torch.tensor([1.0, -(0.5**0.5)]))
