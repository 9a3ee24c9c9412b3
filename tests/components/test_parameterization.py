import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.parameterization import Epsilon, Flow, Velocity
from margrpo.maths.diffusion import noised
from margrpo.maths.flow import signal_share
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


def test_the_flow_by_hand():
    # σ = 0.4: v = 2 − 1, x = 0.6 · 1 + 0.4 · 2 = 1.4, ε = 1.4 + 0.6 · 1, x_0 = 1.4 − 0.4 · 1
    clean, noise, share = torch.tensor([[1.0]]), torch.tensor([[2.0]]), signal_share(0.4)
    v, x = Flow().target(clean, noise, torch.tensor([[share]])), torch.tensor([[1.4]])
    assert torch.equal(v, noise - clean)
    assert torch.allclose(Flow().epsilon(v, x, share), noise)
    assert torch.allclose(Flow().x0(v, x, share), clean)


def test_pure_noise_says_what_the_token_is_by_the_flow_alone():
    x, v = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Flow().epsilon(v, x, 0.0), x)
    assert torch.equal(Flow().x0(v, x, 0.0), x - v)
    assert Epsilon().x0(v, x, 0.0) is None
    assert Velocity().x0(v, x, 0.0) is None


def test_the_velocity_by_hand():
    # ᾱ = 0.36: v = 0.6 · 2 − 0.8 · 1 = 0.4, x = 0.6 · 1 + 0.8 · 2 = 2.2, ε = 0.6 · 0.4 + 0.8 · 2.2 = 2
    clean, noise = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    v = Velocity().target(clean, noise, torch.tensor([[0.36]]))
    assert torch.allclose(v, torch.tensor([[0.4]]))
    assert torch.allclose(Velocity().epsilon(v, torch.tensor([[2.2]]), 0.36), noise)
