"""A cut in a graph, so that its later part can be back-propagated chunk by chunk   (grad_cache)."""

import torch
from jaxtyping import Int
from torch import Tensor


class GradCache:
    """Tensors of one length at which a graph is cut; the gradients of their rows are summed, then sent on at once."""

    def __init__(self, *whole: Tensor):
        self.whole = whole
        self.sums: list[Tensor | None] = [None] * len(whole)

    def leaves(self, rows: Int[Tensor, "m"]) -> list[Tensor]:
        """The `rows` of each tensor, as leaves of a graph of their own."""
        return [each.detach()[rows].requires_grad_(each.requires_grad) for each in self.whole]

    def add(self, rows: Int[Tensor, "m"], leaves: list[Tensor]) -> None:
        """Add the gradients of `leaves` to the sums of their rows."""
        for place, leaf in enumerate(leaves):
            if leaf.grad is not None:
                total = self.sums[place]
                total = torch.zeros_like(self.whole[place]) if total is None else total
                self.sums[place] = total.index_add_(0, rows, leaf.grad)

    def backward(self) -> None:
        """Back-propagate the sums through the graph of the tensors, if there is any gradient."""
        live = [(each, total) for each, total in zip(self.whole, self.sums, strict=True) if total is not None]
        if live:
            torch.autograd.backward([each for each, _ in live], [total for _, total in live])
