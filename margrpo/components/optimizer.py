"""Optimizers with their schedules."""

from collections.abc import Sequence
from typing import ClassVar

from margrpo.declare import at_least, between, component, not_negative, positive, setting
from margrpo.lazy import Parameter, torch


@component
class AdamW:
    """Adam with decoupled weight decay, linear warm-up, and a cosine decay of the rate."""

    state_per_parameter: ClassVar[int] = 2  # the means of the gradient and of its square

    lr: float = setting(1e-4, "learning rate", check=positive)
    beta1: float = setting(0.9, "decay of the mean of gradients", check=between(0, 1))
    beta2: float = setting(0.999, "decay of the mean of squared gradients", check=between(0, 1))
    weight_decay: float = setting(0.0, "decay of weights per step, times the rate", check=not_negative)
    max_norm: float = setting(1.0, "norm that larger gradients are scaled down to", check=positive)
    warmup: int = setting(0, "steps over which the rate rises from 0", check=at_least(0))
    last: float = setting(1.0, "rate at the last step as a share of lr; 1 keeps it constant", check=between(0, 1))

    def build(self, parameters: Sequence[Parameter]) -> "torch.optim.Optimizer":
        """Make torch.optim.AdamW over the parameters."""
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(parameters, lr=self.lr, betas=betas, weight_decay=self.weight_decay, foreach=False)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of `step`, 0 … `steps` − 1."""
        from math import cos, pi

        rise = min(1.0, (step + 1) / (self.warmup + 1))
        fall = (1 + cos(pi * step / max(steps - 1, 1))) / 2
        return self.lr * rise * (self.last + (1 - self.last) * fall)
