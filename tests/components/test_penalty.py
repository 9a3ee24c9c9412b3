import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from margrpo.components.penalty import GaussianKL, K3OfMeans, NoPenalty
from margrpo.components.reference import Frozen, Periodic
from margrpo.testing import small
from margrpo.testing.strategies import seeds

MEAN, REFERENCE, STD = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[0.5, 1.0]]])


def test_the_penalties_by_hand():
    model = small.pipeline().model
    kl = GaussianKL(coefficient=0.1, reference=Frozen()).build(model)
    k3 = K3OfMeans(coefficient=0.1, reference=Frozen()).build(model)
    assert torch.allclose(kl.divergence(MEAN, REFERENCE, STD), torch.tensor([[0.2]]))  # 0.1 · 1²/(2 · 0.5²)
    assert torch.allclose(k3.divergence(MEAN, REFERENCE, STD), torch.tensor([[0.1 * math.exp(-1)]]))  # e^−1 + 1 − 1
    assert torch.equal(NoPenalty().build(model).divergence(MEAN, REFERENCE, STD), torch.zeros(1, 1))


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, coefficient=st.sampled_from((0.0, 0.01, 2.0)))
def test_the_gaussian_penalty_is_torchs_kl_times_its_coefficient(seed: int, coefficient: float):
    mean, reference, std = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(seed))
    std = std.abs() + 0.1
    found = GaussianKL(coefficient=coefficient, reference=Frozen()).divergence(mean, reference, std)
    exact = coefficient * kl_divergence(Normal(mean, std), Normal(reference, std)).sum(-1)
    assert torch.allclose(found, exact, rtol=1e-4, atol=1e-5)


def test_no_penalty_keeps_no_reference_and_the_others_keep_a_copy():
    model = small.pipeline().model
    assert NoPenalty().build(model).reference is None
    for kind in (GaussianKL, K3OfMeans):
        reference = kind(reference=Frozen()).build(model).reference
        assert reference is not model
        assert all(torch.equal(v, model.state_dict()[name]) for name, v in reference.state_dict().items())


def test_a_periodic_reference_follows_and_a_frozen_one_does_not():
    for reference, follows in ((Frozen(), [False] * 4), (Periodic(every=2), [False, True, False, True])):
        model = small.pipeline().model
        regularizer = GaussianKL(reference=reference).build(model)
        for step, due in enumerate(follows, start=1):
            small.alive(model, seed=step)
            regularizer.after_step(step, model)
            same = torch.equal(regularizer.reference.backbone.mae.mask_token, model.backbone.mae.mask_token)
            assert same == due
