import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from margrpo_example.posterior import Posterior

from margrpo import MargrpoError
from margrpo.components.sampler import Ddpm
from margrpo.records import Prediction


@given(steps=st.integers(2, 50), data=st.data())
def test_its_mean_is_that_of_ddpm_and_its_variance_the_least_in_the_learned_range(
    steps: int, data: st.DataObject
) -> None:
    t = data.draw(st.integers(0, steps - 1))
    x, epsilon = torch.ones(2, 3), torch.full((2, 3), 0.5)
    least = Prediction(epsilon, torch.full((2, 3), -1.0))
    ours, theirs = (sampler.transition(x, least, t) for sampler in (Posterior(steps=steps), Ddpm(steps=steps)))
    assert torch.equal(ours.mean, theirs.mean)
    assert torch.allclose(ours.std, theirs.std, rtol=1e-4)


def test_what_the_head_says_of_the_variance_makes_no_difference() -> None:
    x, epsilon = torch.ones(2, 3), torch.full((2, 3), 0.5)
    stds = [Posterior(steps=10).transition(x, Prediction(epsilon, torch.full((2, 3), v)), 5).std for v in (-1.0, 1.0)]
    assert torch.equal(*stds)


def test_one_step_is_refused() -> None:
    with pytest.raises(MargrpoError, match="steps = 1 must be between 2 and 1000"):
        Posterior(steps=1)
