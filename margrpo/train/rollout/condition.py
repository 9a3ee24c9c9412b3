"""The condition of every token, which the backbone computes and the head reads."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from margrpo.contracts import Model
from margrpo.declare import record
from margrpo.records import ARStep, Prompts


@record
class PromptPrefix:
    """The prefix that the backbone reads for each image.

    - `given`: the prefix of the image's own prompt.
    - `null`: the prefix of the null prompt, for classifier-free guidance; None if no image is guided.
    """

    given: Float[Tensor, "b p c"]
    null: Float[Tensor, "b p c"] | None

    @classmethod
    def of(cls, model: Model, prompts: Prompts, *, guided: bool, dtype: torch.dtype = torch.float32) -> "PromptPrefix":
        """Ask the model for the prefix of each image; products are of `dtype`."""
        with autocast(prompts.label.device, dtype):
            return cls(model.prefix(prompts), model.null_prefix(len(prompts)) if guided else None)

    @classmethod
    def of_distinct(
        cls, model: Model, prompts: Prompts, *, guided: bool, dtype: torch.dtype = torch.float32
    ) -> "PromptPrefix":
        """Ask the model for the prefix of each distinct prompt once, and repeat it for the images that share it."""
        places, which = prompts.distinct(("text", "label", "metadata"))
        once = cls.of(model, prompts.at(places), guided=guided, dtype=dtype)
        return once if len(places) == len(prompts) else once.at(which)

    def at(self, images: Int[Tensor, "b"]) -> "PromptPrefix":
        """The prefixes of `images`; an image may come more than once."""
        return PromptPrefix(self.given[images], None if self.null is None else self.null[images])


@record
class Condition:
    """The condition that the head reads for tokens, packed or image by image.

    - `z`: the condition vector.
    - `null`: the condition vector of the null prompt, z_∅; None means that no token is guided.
    - `scale`: the guidance scale w; 1 if no token is guided.
    """

    z: Float[Tensor, "*m c"]
    null: Float[Tensor, "*m c"] | None
    scale: Float[Tensor, "*m 1"]

    @classmethod
    def unguided(cls, z: Float[Tensor, "*m c"]) -> "Condition":
        """The condition without guidance."""
        return cls(z, None, z.new_ones(()).expand(*z.shape[:-1], 1))

    @property
    def packed(self) -> "Condition":
        """The condition of all tokens of all images along one axis, image by image."""
        null = None if self.null is None else self.null.flatten(0, 1)
        return Condition(self.z.flatten(0, 1), null, self.scale.flatten(0, 1))

    def at(self, rows: Tensor | slice | list[int]) -> "Condition":
        """The condition at some places of the first axis."""
        return Condition(self.z[rows], None if self.null is None else self.null[rows], self.scale[rows])

    def of(self, where: Bool[Tensor, "b n"]) -> "Condition":
        """The condition of the marked tokens, packed."""
        return self.packed.at(where.flatten().nonzero()[:, 0])


def conditions(
    model: Model,
    tokens: Float[Tensor, "b n d"],
    unknown: Bool[Tensor, "b n"],
    prefix: PromptPrefix,
    *,
    scales: Sequence[float],
    dtype: torch.dtype = torch.float32,
) -> Condition:
    """The condition of every token from one backbone pass; float32, whatever the `dtype` of matrix products.

    `scales` is the guidance scale of each image. If any of `scales` is not 1, both halves go in one batch.
    """
    with autocast(tokens.device, dtype):
        if all(scale == 1 for scale in scales):
            return Condition.unguided(model.condition(tokens, unknown, prefix.given).float())
        assert prefix.null is not None
        both = torch.cat([prefix.given, prefix.null])
        z, null = model.condition(tokens.repeat(2, 1, 1), unknown.repeat(2, 1), both).float().chunk(2)
    scale = torch.tensor(scales, dtype=z.dtype, device=z.device)
    return Condition(z, null, scale[:, None, None].expand(-1, tokens.shape[1], 1))


def conditions_at(
    model: Model,
    step: ARStep,
    prompts: Prompts,
    *,
    scale: float | None = None,
    mask: Bool[Tensor, "b n"] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Condition:
    """The condition of every token at a recorded AR step, under one guidance scale.

    By default the scale and the unknown tokens are the recorded ones.
    """
    used = step.guidance if scale is None else scale
    prefix = PromptPrefix.of(model, prompts, guided=used != 1, dtype=dtype)
    unknown = step.unknown if mask is None else mask
    return conditions(model, step.tokens, unknown, prefix, scales=[used] * len(prompts), dtype=dtype)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Context manager in which matrix products are of `dtype`; float32 turns nothing on."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def settle(settled: Condition | None, known: Condition, committed: Bool[Tensor, "b n"]) -> Condition:
    """z*: the condition at which each token was committed, with the guidance of its AR step.

    If only some steps are guided, z serves as the null half of the other steps, because ε + 1·(ε − ε) is ε. If no step
    is guided, there is no null half.
    """
    before, where = settled or known, committed[..., None]
    z = torch.where(where, known.z, before.z)
    if known.null is None and before.null is None:
        return Condition.unguided(z)
    null = torch.where(where, null_half(known), null_half(before))
    return Condition(z, null, torch.where(where, known.scale, before.scale))


def null_half(one: Condition) -> Float[Tensor, "b n c"]:
    """The null half of a condition, or z if its AR step had no guidance."""
    return one.z if one.null is None else one.null


def places(where: Bool[Tensor, "b n"], count: int) -> Int[Tensor, "m"]:
    """The places of `count` marked tokens among all of them, ascending; does not wait for the device to count them."""
    return where.flatten().argsort(descending=True, stable=True)[:count]
