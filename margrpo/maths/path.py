"""The forward process that a head learns to undo: a token becomes noise over 1000 times."""

from collections.abc import Callable

from jaxtyping import Float, Int

from margrpo.declare import record
from margrpo.lazy import Tensor, torch
from margrpo.maths import denoising, diffusion, flow


@record
class Path:
    """A forward process by its functions; training times are counted t = 0 … 999, from clean to noise.

    - `time(t)`: the time that the head is given at t.
    - `alpha_bar(t)`: the share of signal in the variance of x_t.
    - `noised(clean, noise, alpha_bar)`: x_t.
    - `bound(clean, x, epsilon, variance, t=t)`: the loss of the head's variance.
    """

    name: str
    time: Callable[[Tensor], Tensor]
    alpha_bar: Callable[[Tensor], Tensor]
    noised: Callable[[Tensor, Tensor, Tensor], Tensor]
    bound: Callable[..., Tensor]


def variance_bound(
    clean: Float[Tensor, "m d"],
    x: Float[Tensor, "m d"],
    epsilon: Float[Tensor, "m d"],
    variance: Float[Tensor, "m d"],
    *,
    t: Int[Tensor, "m"],
) -> Float[Tensor, "m"]:
    """The bound that trains the learned range of σ   (improved_ddpm, eq. 3)."""
    table = diffusion.tables(diffusion.TRAINING_STEPS)
    return denoising.variance_bound(clean, x, epsilon, variance, table=table, t=t)


def no_bound(clean: Float[Tensor, "m d"], *_: Tensor, t: Int[Tensor, "m"]) -> Float[Tensor, "m"]:
    """0: the noise of a flow's steps is chosen, not learned."""
    return torch.zeros_like(clean[:, 0])


def diffusion_alpha_bar(t: Int[Tensor, "m"]) -> Float[Tensor, "m 1"]:
    """ᾱ_t of the cosine schedule."""
    return denoising.column(diffusion.tables(diffusion.TRAINING_STEPS).alpha_bar, t)


def flow_alpha_bar(t: Int[Tensor, "m"]) -> Float[Tensor, "m 1"]:
    """ᾱ at σ = (t + 1)/1000."""
    level = (t.cpu()[:, None] + 1).double() / flow.TRAINING_LEVELS  # not every device has float64
    return flow.signal_share(level).float().to(t.device)


DIFFUSION = Path("diffusion", lambda t: t, diffusion_alpha_bar, diffusion.noised, variance_bound)
FLOW = Path("flow", lambda t: t + 1, flow_alpha_bar, flow.noised, no_bound)
