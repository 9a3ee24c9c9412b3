import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal

from margrpo.maths.gaussian import log_density, sample
from margrpo.records import Gaussian
from margrpo.testing.strategies import seeds
from tests.golden.reading import recorded


def normals(seed: int, channels: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, mean = torch.randn(2, 5, channels, generator=generator)
    return x, mean, torch.rand(5, channels, generator=generator) + 0.05


def test_the_density_of_one_channel_worked_by_hand():
    # −(3 − 1)²/(2·2²) − log 2 − ½ log 2π = −0.5 − 0.693147 − 0.918939
    found = log_density(torch.tensor([[3.0]]), torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    assert torch.allclose(found, torch.tensor([-2.112086]), atol=1e-6)


@settings(derandomize=True, deadline=None)
@given(seed=seeds, channels=st.integers(1, 9))
def test_the_density_is_torchs_summed_over_channels(seed: int, channels: int):
    x, mean, std = normals(seed, channels)
    assert torch.allclose(log_density(x, mean, std), Normal(mean, std).log_prob(x).sum(-1), rtol=1e-4, atol=1e-4)


@pytest.mark.golden("logp_ddpm")
def test_the_density_of_each_channel_is_the_releases_under_its_floors():
    case = recorded("logp_ddpm", "elementwise.")
    x, mean, std = (case[key][..., None] for key in ("x", "mean", "std"))
    # One function of the release holds σ² and σ above 1e-6; the other takes every σ as it is, but 1e-6 for a σ of 0.
    plain = log_density(x, mean, std.masked_fill(std == 0, 1e-6))
    for key, ours in {"logp": log_density(x, mean, std, floor=1e-6), "_gaussian_log_prob": plain}.items():
        off = ((ours - case[key]) / (1 + case[key].abs())).abs().max()  # the numbers go from −5e14 to 1
        assert float(off) <= 1e-5, key


def test_half_precision_inputs_are_scored_in_float32():
    x, mean, std = (value.bfloat16() for value in normals(0))
    found = log_density(x, mean, std)
    assert found.dtype == torch.float32
    exact = Normal(mean.double(), std.double()).log_prob(x.double()).sum(-1)
    # bfloat16 arithmetic would be off by up to 1 here; its inputs, taken as they are, cost nothing.
    assert torch.allclose(found.double(), exact, atol=1e-3)


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_a_draw_is_its_mean_without_noise_and_one_std_off_with_noise_of_one(seed: int):
    _, mean, std = normals(seed)
    gaussian = Gaussian(mean, std)
    assert torch.equal(sample(gaussian, torch.zeros_like(mean)), mean)
    assert torch.equal(sample(gaussian, torch.ones_like(mean)), mean + std)
