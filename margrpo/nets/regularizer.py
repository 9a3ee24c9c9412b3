"""The state of a penalty: the reference, and the steps at which it is renewed."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from margrpo.contracts import Model, Selector


class Regularizer:
    """A frozen copy of the model, or none, and the divergence from it."""

    def __init__(
        self,
        model: Model | None,
        divergence: Callable[[Tensor, Tensor, Tensor], Tensor],
        is_due: Callable[[int], bool] = lambda step: False,
        where: Selector | None = None,
    ):
        self.reference = None if model is None else copy.deepcopy(model).eval().requires_grad_(False)
        self.divergence, self.is_due, self.where = divergence, is_due, where

    def after_step(self, step: int, model: Model) -> None:
        """Copy `model` into the reference, if that is due after step `step`."""
        if self.reference is not None and self.is_due(step):
            self.reference.load_state_dict(model.state_dict())


def no_penalty() -> Regularizer:
    """A regularizer without a reference, whose divergence is 0."""
    return Regularizer(None, lambda mean, reference, std: torch.zeros(mean.shape[:-1], device=mean.device))
