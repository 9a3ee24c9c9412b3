import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from margrpo_example.colourfulness import Colourfulness
from torch import Tensor

from margrpo import MargrpoError
from margrpo.records import Prompt, grouped


def score(*images: Tensor, **settings: float) -> list[float]:
    prompts = grouped([Prompt("anything")], len(images))
    return Colourfulness(**settings).score(torch.stack(images), prompts).tolist()


def flat(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue], dtype=torch.float32)[:, None, None].expand(3, 4, 4)


def red_beside_blue() -> Tensor:
    return torch.cat([flat(1, 0, 0)[..., :2], flat(0, 0, 1)[..., :2]], dim=-1)


def test_two_halves_score_as_worked_by_hand() -> None:
    # rg is 255 and 0, yb is 127.5 and -255: std 127.5 and 191.25, mean 127.5 and -63.75
    expected = (127.5**2 + 191.25**2) ** 0.5 + 0.3 * (127.5**2 + 63.75**2) ** 0.5
    assert score(red_beside_blue()) == pytest.approx([expected], rel=1e-6)


@given(level=st.floats(0, 1, width=32))
def test_no_grey_is_colourful(level: float) -> None:
    assert score(flat(level, level, level)) == pytest.approx([0.0], abs=1e-3)


def test_more_than_enough_earns_nothing_more() -> None:
    assert score(red_beside_blue(), flat(0.5, 0.5, 0.5), enough=33.0) == [33.0, 0.0]


def test_an_enough_of_zero_is_refused() -> None:
    with pytest.raises(MargrpoError, match="enough = 0 must be greater than 0"):
        Colourfulness(enough=0)
