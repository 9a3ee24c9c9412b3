"""The pre-training loss of the published MAR: each row of it, the whole, and its gradients."""

import math

import pytest
import torch
from torch import Tensor

from margrpo.maths import denoising, diffusion
from margrpo.nets.mar import Mar
from margrpo.weights.published_names import our_name
from tests.golden.reading import allowed, largest_difference, recorded
from tests.weights.published import labelled, published

NAME = "mar_backbone_s16"
GOLDEN = recorded(NAME)
TABLE = diffusion.tables(1000)
NEPERS = math.log(2)


@pytest.fixture
def model() -> Mar:
    return published()


def condition(model: Mar) -> Tensor:
    """z of the recorded pass, which drops the prompt of its last image."""
    prefix = torch.cat([model.prefix(labelled(GOLDEN["in.labels"]))[:2], model.null_prefix(1)])
    return model.condition(GOLDEN["in.tokens"], GOLDEN["in.mask"].bool(), prefix)


def rows(model: Mar, z: Tensor) -> tuple[Tensor, Tensor]:
    """Squared error and variance bound, the latter in bits, of every token at the recorded times and noises."""
    clean, noise, t = GOLDEN["in.tokens"].flatten(0, 1).repeat(4, 1), GOLDEN["in.loss_noise"], GOLDEN["in.loss_t"]
    # ᾱ in float64: in float32, 1 − ᾱ has lost three digits at the first times.
    x = diffusion.noised(clean.double(), noise.double(), torch.tensor(TABLE.alpha_bar)[t][:, None]).float()
    output, variance = model.head.raw(x, z.flatten(0, 1).repeat(4, 1), t)
    bound = denoising.variance_bound(clean, x, output, variance, table=TABLE, t=t) / NEPERS
    first = t == 0  # the published code takes tokens for pixels there
    return (output - noise).pow(2).mean(-1), torch.where(first, discretised(clean, x, output, variance), bound)


def discretised(clean: Tensor, x: Tensor, output: Tensor, variance: Tensor) -> Tensor:
    """−log₂ p(x_0 | x_1) of a pixel with 256 values, by the tanh approximation of Φ   (ddpm, section 3.3)."""
    mean = diffusion.predicted_clean(x, output.detach(), float(TABLE.alpha_bar[0]))
    share, beta = (variance + 1) / 2, math.log(float(TABLE.beta[0]))
    scale = (-0.5 * (share * beta + (1 - share) * float(TABLE.log_posterior_variance[0]))).exp()
    above, below = (phi(scale * (clean - mean + edge)) for edge in (1 / 255, -1 / 255))
    mass = torch.where(clean > 0.999, 1 - below, above - below)
    mass = torch.where(clean < -0.999, above, mass)
    return -mass.clamp(min=1e-12).log().mean(-1) / NEPERS


def phi(x: Tensor) -> Tensor:
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@pytest.mark.golden(NAME)
def test_every_row_of_the_loss_is_the_published_one_except_at_t_0_where_that_takes_tokens_for_pixels(model: Mar):
    error, bound = rows(model, condition(model))
    for key, ours in {"mse_rows": error, "vb_rows": bound, "loss_rows": error + bound}.items():
        assert largest_difference(ours, GOLDEN[f"out.{key}"]) <= allowed(NAME, key), key


@pytest.mark.golden(NAME)
def test_the_loss_and_its_gradients_are_the_published_ones(model: Mar):
    z, parameters = condition(model), dict(model.named_parameters())
    z.retain_grad()
    error, bound = rows(model, z)
    loss = (error + bound)[GOLDEN["in.mask"].bool().flatten().repeat(4)].mean()
    loss.backward()
    found = {"out.loss": loss[None], "out.grad_z": z.grad}
    for key in GOLDEN:
        if key.startswith("out.grad."):
            found[key] = parameters[our_name(key.removeprefix("out.grad."))].grad
    for key, ours in found.items():
        theirs = GOLDEN[key]
        assert largest_difference(ours.view_as(theirs), theirs) <= allowed(NAME, key), key
