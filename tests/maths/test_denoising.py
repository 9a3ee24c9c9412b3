import torch
from hypothesis import given, settings
from torch.distributions import Normal, kl_divergence

from margrpo.maths.denoising import column, variance_bound
from margrpo.maths.diffusion import ddpm_transition, noised, tables
from margrpo.records import Prediction
from margrpo.testing.strategies import seeds

TABLE = tables(1000)


def situation(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    clean, noise, epsilon = torch.randn(3, 6, 4, generator=generator)
    t = torch.cat([torch.tensor([0, 1, 999]), torch.randint(1000, (3,), generator=generator)])
    x = noised(clean, noise, column(TABLE.alpha_bar, t))
    return clean, x, epsilon, torch.rand(6, 4, generator=generator) * 2 - 1, t


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_the_bound_is_the_kl_from_the_true_posterior(seed: int):
    clean, x, epsilon, variance, t = situation(seed)
    found = variance_bound(clean, x, epsilon, variance, table=TABLE, t=t)
    for row, time in enumerate(t.tolist()):
        if time == 0:
            continue
        ours = ddpm_transition(
            x[row : row + 1], Prediction(epsilon[row : row + 1], variance[row : row + 1]), TABLE, time
        )
        beta, bar, after = (float(v[time]) for v in (TABLE.beta, TABLE.alpha_bar, TABLE.alpha_bar_next))
        mean = after**0.5 * beta / (1 - bar) * clean[row] + (1 - beta) ** 0.5 * (1 - after) / (1 - bar) * x[row]
        true = Normal(mean, torch.tensor(float(TABLE.posterior_variance[time])).sqrt())
        exact = kl_divergence(true, Normal(ours.mean[0], ours.std[0])).mean()
        assert torch.allclose(found[row], exact, rtol=1e-2, atol=1e-3)


@settings(derandomize=True, deadline=None)
@given(seed=seeds)
def test_the_bound_trains_the_variance_only(seed: int):
    clean, x, epsilon, variance, t = situation(seed)
    epsilon.requires_grad_(), variance.requires_grad_()
    variance_bound(clean, x, epsilon, variance, table=TABLE, t=t).sum().backward()
    assert epsilon.grad is None
    assert bool((variance.grad[1:] != 0).all())
