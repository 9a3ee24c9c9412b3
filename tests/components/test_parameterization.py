import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.parameterization import Epsilon, Velocity
from margrpo.maths.diffusion import noised
from margrpo.testing.strategies import seeds


@settings(derandomize=True, deadline=None)
@given(seed=seeds, alpha_bar=st.floats(1e-6, 1 - 1e-6))
def test_a_perfect_output_gives_back_the_noise(seed: int, alpha_bar: float):
    clean, noise = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(seed)).double()
    share = torch.full((5, 1), alpha_bar, dtype=torch.float64)
    x = noised(clean, noise, share)
    for kind in (Epsilon(), Velocity()):
        output = kind.target(clean, noise, share)
        assert torch.allclose(kind.epsilon(output, x, alpha_bar), noise, atol=1e-9)
        assert torch.allclose(kind.epsilon(output, x, share), noise, atol=1e-9)


def test_the_velocity_by_hand():
    # ᾱ = 0.36: v = 0.6 · 2 − 0.8 · 1 = 0.4, x = 0.6 · 1 + 0.8 · 2 = 2.2, ε = 0.6 · 0.4 + 0.8 · 2.2 = 2
    clean, noise = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    v = Velocity().target(clean, noise, torch.tensor([[0.36]]))
    assert torch.allclose(v, torch.tensor([[0.4]]))
    assert torch.allclose(Velocity().epsilon(v, torch.tensor([[2.2]]), 0.36), noise)
