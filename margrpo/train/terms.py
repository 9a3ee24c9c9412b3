"""The tokens of a batch of units that reach the head, gathered from all its AR steps."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from margrpo.declare import record
from margrpo.records import Rollout
from margrpo.train.batches import Unit
from margrpo.train.parts import Method
from margrpo.train.shares import Part, Share, parts_of


@record
class Terms:
    """Tokens with equally many chains; `rows` are their places among all tokens of the batch.

    The factors are what each token's surrogate and penalty count for, or None where there is no such term.
    """

    rows: Int[Tensor, "m"]
    advantage: Float[Tensor, "m"]
    state: Float[Tensor, "t k m d"]
    target: Float[Tensor, "t k m d"]
    std: Float[Tensor, "t k m d"]
    surrogate: Float[Tensor, "m"] | None
    penalty: Float[Tensor, "m"] | None

    @property
    def chains(self) -> int:
        """k."""
        return self.state.shape[1]

    def cut(self, size: int) -> Iterator["Piece"]:
        """Pieces of at most `size` tokens × transitions, so that memory grows with the number of neither."""
        count, transitions = len(self.rows), self.state.shape[0]
        tokens = min(count, size)
        together = max(1, size // tokens)
        for start in range(0, count, tokens):
            for first in range(0, transitions, together):
                yield Piece(slice(start, min(start + tokens, count)), slice(first, min(first + together, transitions)))


@record
class Piece:
    """Some tokens of the terms and some transitions."""

    tokens: slice
    transitions: slice


def terms_of(
    method: Method, rollout: Rollout, shares: Sequence[Share], advantages: Float[Tensor, "b"], batch: Sequence[Unit]
) -> list[Terms]:
    """What the units of a batch contribute, one entry for each number of chains and kind of term."""
    found: dict[tuple[int, bool, bool], list[Terms]] = {}
    for step, units in groupby(enumerate(batch), key=lambda placed: placed[1].step):
        slots = torch.full((len(rollout.prompts),), -1, device=advantages.device)
        for slot, unit in units:
            slots[unit.image] = slot
        for part in parts_of(method, rollout, shares[step]):
            kind = (part.evidence.state.shape[1], part.surrogate is None, part.penalty is None)
            terms = terms_of_part(part, slots, advantages)
            if len(terms.rows):
                found.setdefault(kind, []).append(terms)
    return [joined(parts) for parts in found.values()]


def terms_of_part(part: Part, slots: Int[Tensor, "b"], advantages: Float[Tensor, "b"]) -> Terms:
    """The tokens of one part whose images are in the batch, at these slots."""
    evidence, n = part.evidence, part.evidence.where.shape[1]
    index = evidence.where.flatten().nonzero()[:, 0]
    here = (slots[index // n] >= 0).nonzero()[:, 0]
    image, token = index[here] // n, index[here] % n
    each = torch.ones(len(here), device=advantages.device)
    return Terms(
        rows=slots[image] * n + token,
        advantage=advantages[image],
        state=evidence.state[:, :, here],
        target=evidence.target[:, :, here],
        std=evidence.std[:, :, here],
        surrogate=None if part.surrogate is None else each * (evidence.weight / part.surrogate),
        penalty=None if part.penalty is None else each / part.penalty,
    )


def joined(parts: Sequence[Terms]) -> Terms:
    """Terms of one kind, one after the other."""
    if len(parts) == 1:
        return parts[0]

    def column(name: str, axis: int = 0) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts], dim=axis)

    first = parts[0]
    return Terms(
        rows=column("rows"),
        advantage=column("advantage"),
        state=column("state", 2),
        target=column("target", 2),
        std=column("std", 2),
        surrogate=None if first.surrogate is None else column("surrogate"),
        penalty=None if first.penalty is None else column("penalty"),
    )
