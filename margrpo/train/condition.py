"""What the backbone tells the head: the condition of every token of some images."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Model
from margrpo.declare import record
from margrpo.records import Prompts


@record
class Condition:
    """What the head is told about packed tokens: z, and with guidance z_∅ and the scale of each token."""

    z: Float[Tensor, "m c"]
    null: Float[Tensor, "m c"] | None
    scale: Float[Tensor, "m 1"] | float

    def at(self, rows: Tensor | slice) -> "Condition":
        """The condition of some of the tokens."""
        scale = self.scale[rows] if isinstance(self.scale, Tensor) else self.scale
        return Condition(self.z[rows], None if self.null is None else self.null[rows], scale)


@record
class Conditions:
    """The condition of every token of some images, each image at one AR step."""

    z: Float[Tensor, "b n c"]
    null: Float[Tensor, "b n c"] | None
    scale: Float[Tensor, "b n 1"] | float

    @property
    def packed(self) -> Condition:
        """The condition of all tokens, image by image."""
        scale = self.scale.flatten(0, 1) if isinstance(self.scale, Tensor) else self.scale
        return Condition(self.z.flatten(0, 1), None if self.null is None else self.null.flatten(0, 1), scale)

    def some(self, images: Sequence[int]) -> "Conditions":
        """Those of some of the images."""
        at = list(images)
        scale = self.scale[at] if isinstance(self.scale, Tensor) else self.scale
        return Conditions(self.z[at], None if self.null is None else self.null[at], scale)

    def of(self, where: Bool[Tensor, "b n"]) -> Condition:
        """The condition of the marked tokens, packed."""
        return self.packed.at(where.flatten().nonzero()[:, 0])


def conditions(
    model: Model,
    tokens: Float[Tensor, "b n d"],
    unknown: Bool[Tensor, "b n"],
    prompts: Prompts,
    *,
    scale: Float[Tensor, "b"] | float,
    dtype: torch.dtype = torch.float32,
) -> Conditions:
    """One backbone pass, with guidance both halves in one batch; float32, whatever `dtype` its products were of."""
    images, plain = len(prompts), not isinstance(scale, Tensor) and scale == 1
    with torch.autocast(tokens.device.type, dtype=dtype, enabled=dtype != torch.float32):
        prefix = model.prefix(prompts)
        if plain:
            return Conditions(model.condition(tokens, unknown, prefix).float(), None, 1.0)
        both = torch.cat([prefix, model.null_prefix(images)])
        z, null = model.condition(tokens.repeat(2, 1, 1), unknown.repeat(2, 1), both).float().chunk(2)
    if isinstance(scale, Tensor):
        scale = scale[:, None, None].expand(-1, tokens.shape[1], 1)
    return Conditions(z, null, scale)


def settle(settled: Conditions | None, known: Conditions, committed: Bool[Tensor, "b n"]) -> Conditions:
    """z*: the condition at which each token was committed, with the guidance of that step.

    Where only some steps are guided, z serves as the null half of the others, because ε + 1·(ε − ε) is ε; where none
    is, there is no null half to pay for.
    """
    before, where = settled or known, committed[..., None]
    z = torch.where(where, known.z, before.z)
    if known.null is None and before.null is None:
        return Conditions(z, None, 1.0)
    null = torch.where(where, null_half(known), null_half(before))
    now, then = (torch.as_tensor(one.scale, dtype=z.dtype, device=z.device) for one in (known, before))
    return Conditions(z, null, torch.where(where, now, then))


def null_half(one: Conditions) -> Float[Tensor, "b n c"]:
    """The null half, or z where a step had no guidance."""
    return one.z if one.null is None else one.null


def places(where: Bool[Tensor, "b n"], count: int) -> Int[Tensor, "m"]:
    """The places of `count` marked tokens among all of them, ascending; does not wait for the device to count them."""
    return where.flatten().argsort(descending=True, stable=True)[:count]
