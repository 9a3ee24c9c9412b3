"""The memory budget of an update, and the memory that its parts need."""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from margrpo.contracts import Model, Sampler
from margrpo.declare import record
from margrpo.plan.memory import BUDGET, GIB, PIECE, SHARE_OF_GPU
from margrpo.train.rollout.condition import Condition, autocast
from margrpo.train.rollout.reverse_process import ReverseProcess

PROBE = 8
"""Number of tokens that the head is measured on."""


@record
class Footprint:
    """Bytes that autograd keeps for the backward pass; each tensor counts once, and weights do not count.

    - `once`: per pass of the backbone, such as weights that autocast has copied.
    - `image`: per image at an AR step.
    - `known`: per known token.
    - `token`: per token and transition in the head.
    - `chain`: per chain of a token and transition in the head.
    """

    once: float = 0.0
    image: float = 0.0
    known: float = 0.0
    token: float = 0.0
    chain: float = 0.0


@record
class Budget:
    """The bytes that the graphs of an update may take, and the footprint of its parts."""

    bytes: int
    footprint: Footprint

    @property
    def room(self) -> float:
        """The bytes that the images of a backbone pass may take."""
        return self.bytes - self.bytes / PIECE - self.footprint.once

    def image(self, known: int, halves: int) -> float:
        """The bytes of an image at an AR step with `known` known tokens."""
        return halves * (self.footprint.image + known * self.footprint.known)

    def pairs(self, chains: int, halves: int) -> int:
        """The number of tokens × transitions in a chunk of the head's work; at least one."""
        each = halves * (self.footprint.token + chains * self.footprint.chain)
        return max(1, int(self.bytes / PIECE / each)) if each else sys.maxsize


ROOMY = Budget(BUDGET, Footprint())
"""A budget without limit."""


def bytes_of(gib: float | None, device: str) -> int:
    """The budget in bytes: `gib` GiB, or the default of the device."""
    if gib is not None:
        return int(gib * GIB)
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // SHARE_OF_GPU
    return BUDGET


def measure_footprint(model: Model, sampler: Sampler, *, dtype: torch.dtype = torch.float32) -> Footprint:
    """Measure the footprint of a model on its device, by passes over one image and a few tokens."""
    device, n = next(model.parameters()).device, model.tokens
    found: list[Tensor] = []

    def images(count: int, known: int) -> None:
        with autocast(device, dtype):
            tokens = torch.zeros(count, n, model.channels, device=device)
            unknown = torch.arange(n, device=device).expand(count, n) >= known
            # A frozen backbone keeps nothing, but it holds what it works on: no more than it would keep of this prefix.
            prefix = model.null_prefix(count).detach().requires_grad_()
            found.append(model.condition(tokens, unknown, prefix))

    def head(chains: int) -> None:
        z = torch.zeros(PROBE, found[0].shape[-1], device=device, requires_grad=True)
        x = torch.zeros(1, chains, PROBE, model.channels, device=device)
        ReverseProcess.of(model.head, sampler, (sampler.steps - 1,)).predictions(Condition.unguided(z), x)

    one_image, two_images, half = (kept(model, partial(images, *size)) for size in ((1, 0), (2, 0), (1, n // 2)))
    image = two_images - one_image
    one, two = (kept(model, partial(head, chains)) / PROBE for chains in (1, 2))
    return Footprint(
        once=max(0.0, one_image - image),
        image=image,
        known=(half - one_image) / max(1, n // 2),
        token=max(0.0, 2 * one - two),
        chain=two - one,
    )


def kept(model: Model, work: Callable[[], None]) -> int:
    """The bytes that autograd keeps of `work`."""
    weights = {value.untyped_storage().data_ptr() for value in model.parameters()}
    alive: dict[int, Tensor] = {}  # held, so that no address is given twice

    def keep(tensor: Tensor) -> Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in weights:
            alive[address] = tensor
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, keep):
        work()
    return sum(tensor.untyped_storage().nbytes() for tensor in alive.values())
