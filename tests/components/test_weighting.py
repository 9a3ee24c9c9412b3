import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.weighting import Density, Std, Variance

STDS = st.lists(st.floats(2**-10, 10, width=32), min_size=1, max_size=20)


@settings(derandomize=True, deadline=None)
@given(stds=STDS)
def test_weights_are_positive_of_mean_one_and_in_proportion(stds: list[float]):
    std = torch.tensor(stds)
    for weighting, power in ((Density(), 0), (Std(), 1), (Variance(), 2)):
        weights = weighting.weights(std)
        assert bool((weights > 0).all())
        assert float(weights.mean()) == pytest.approx(1, rel=1e-5)
        assert torch.allclose(weights / weights[0], (std / std[0]) ** power, rtol=1e-4)


def test_two_transitions_by_hand():
    std = torch.tensor([1.0, 3.0])
    assert Density().weights(std).tolist() == [1, 1]
    assert Std().weights(std).tolist() == [0.5, 1.5]
    assert torch.allclose(Variance().weights(std), torch.tensor([0.2, 1.8]))
