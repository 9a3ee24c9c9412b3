import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.maths.unmasking import cosine_counts
from tests.golden.reading import recorded

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
