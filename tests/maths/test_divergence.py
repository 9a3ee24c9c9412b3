import math

import torch
from hypothesis import given, settings
from torch.distributions import Normal, kl_divergence

from margrpo.maths.divergence import gaussian_kl, k3_of_means
from margrpo.testing.strategies import seeds


def test_the_kl_by_hand():
    # (3 − 1)²/(2·2²) + (0 − 1)²/(2·1²) = 0.5 + 0.5
    found = gaussian_kl(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 1.0]]))
    assert torch.equal(found, torch.tensor([1.0]))


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_the_kl_is_torchs(seed: int):
    generator = torch.Generator().manual_seed(seed)
    mean, reference = torch.randn(2, 3, 5, 4, generator=generator)
    std = torch.rand(3, 5, 4, generator=generator) + 0.1
    exact = kl_divergence(Normal(mean, std), Normal(reference, std)).sum(-1)
    assert torch.allclose(gaussian_kl(mean, reference, std), exact, rtol=1e-4, atol=1e-5)


def test_k3_of_means_by_hand():
    # δ = μ_ref − μ = 1 and −2: (e − 2) + (e^−2 + 1)
    found = k3_of_means(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    assert torch.allclose(found, torch.tensor([math.e - 2 + math.exp(-2) + 1]))


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_divergences_are_zero_where_nothing_moved_and_positive_elsewhere(seed: int):
    generator = torch.Generator().manual_seed(seed)
    mean, reference = torch.randn(2, 6, 4, generator=generator)
    one = torch.ones_like(mean)
    for divergence in (lambda a, b: gaussian_kl(a, b, one), k3_of_means):
        assert torch.equal(divergence(mean, mean), torch.zeros(6))
        assert bool((divergence(mean, reference) > 0).all())


def test_half_precision_means_are_compared_in_float32():
    mean, reference = torch.tensor([[1.0]]).bfloat16(), torch.tensor([[1.0078125]]).bfloat16()
    found = gaussian_kl(mean, reference, torch.tensor([[1.0]]).bfloat16())
    assert found.dtype == torch.float32
    assert torch.allclose(found, torch.tensor([0.0078125**2 / 2]))
