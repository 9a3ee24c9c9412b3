"""Hypothesis strategies of components and data; they need the package hypothesis."""

from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from margrpo.components.estimator import MultiTrajectory, RaoBlackwell, Single
from margrpo.components.guidance import Constant, Linear
from margrpo.components.sampler import Ddim, Ddpm
from margrpo.components.selector import Committed, Consistent, Every, Random, Uncertain, Uncommitted
from margrpo.contracts import Estimator, Guidance, Selector

seeds = st.integers(0, 2**31 - 1)
fractions = st.sampled_from((0.01, 0.25, 0.3, 0.5, 0.75, 1.0))


def samplers(*, most: int = 6) -> st.SearchStrategy[Ddpm | Ddim]:
    """Samplers with a density, of at most `most` steps."""
    steps, temperature = st.integers(2, most), st.sampled_from((1.0, 0.9))
    ddim = st.builds(Ddim, steps=steps, temperature=temperature, eta=st.sampled_from((1.0, 0.3)))
    return st.builds(Ddpm, steps=steps, temperature=temperature) | ddim


def guidances() -> st.SearchStrategy[Guidance]:
    """Guidance: none, constant and growing."""
    return st.sampled_from((Constant(), Constant(weight=2.0), Linear(weight=3.0)))


def selectors() -> st.SearchStrategy[Selector]:
    """Every built-in selector, nested at most once."""
    plain = st.sampled_from((Every(), Committed(), Uncommitted()))
    within = st.none() | plain
    return st.one_of(
        plain,
        st.builds(Uncertain, fraction=fractions, within=within),
        st.builds(Random, fraction=fractions, within=within),
        st.builds(Consistent, threshold=st.sampled_from((-2.0, -0.1, 0.0, 0.1)), within=within),
    )


def estimators(*, most: int = 3) -> st.SearchStrategy[Estimator]:
    """Every built-in estimator, of at most `most` trajectories."""
    several = {
        "trajectories": st.integers(1, most),
        "where": st.none() | st.builds(Uncertain, fraction=fractions),
        "weight": st.sampled_from((1.0, 0.5)),
    }
    return st.just(Single()) | st.builds(MultiTrajectory, **several) | st.builds(RaoBlackwell, **several)


@st.composite
def grouped_rewards(draw: Any, *, smallest: int = 2) -> tuple[Tensor, Tensor]:
    """Rewards of up to four groups of up to six images, in no order, and the group of each."""
    sizes = draw(st.lists(st.integers(smallest, 6), min_size=1, max_size=4))
    group = torch.tensor([number for number, size in enumerate(sizes) for _ in range(size)])
    order = torch.tensor(draw(st.permutations(range(len(group)))))
    values = st.lists(st.floats(-10, 10, width=32), min_size=len(group), max_size=len(group))
    return torch.tensor(draw(values)), group[order]
