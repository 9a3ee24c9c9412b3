"""The tokens of a batch of units that reach the head, gathered from all its AR steps."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from margrpo.declare import record
from margrpo.records import Evidence
from margrpo.train.batches import Unit
from margrpo.train.shares import Part


@record
class Terms:
    """Tokens with equally many chains; `rows` are their places among all tokens of the batch.

    Their transitions stay where they were recorded: each of `sources` is some evidence and which of its tokens are
    meant. The factors are what each token's surrogate and penalty count for, or None where there is no such term.
    """

    rows: Int[Tensor, "m"]
    advantage: Float[Tensor, "m"]
    sources: tuple[tuple[Evidence, Tensor], ...]
    surrogate: Float[Tensor, "m"] | None
    penalty: Float[Tensor, "m"] | None

    @property
    def chains(self) -> int:
        """k."""
        return self.sources[0][0].chains

    def cut(self, size: int) -> Iterator["Piece"]:
        """Pieces of at most `size` tokens × transitions, so that memory grows with the number of neither."""
        count, transitions = len(self.rows), self.sources[0][0].state.shape[0]
        tokens = min(count, size)
        together = max(1, size // tokens)
        for start in range(0, count, tokens):
            for first in range(0, transitions, together):
                yield Piece(slice(start, min(start + tokens, count)), slice(first, min(first + together, transitions)))

    def gathered(self, piece: "Piece") -> tuple[Tensor, Tensor, Tensor]:
        """State, target and std of a piece, each (t, k, m, d)."""
        parts, start = [], 0
        for evidence, tokens in self.sources:
            some = tokens[max(0, piece.tokens.start - start) : max(0, piece.tokens.stop - start)]
            if len(some):
                parts.append(evidence.part(some, piece.transitions))
            start += len(tokens)
        if len(parts) == 1:
            return parts[0]
        state, target, std = (torch.cat(column, dim=2) for column in zip(*parts, strict=True))
        return state, target, std


@record
class Piece:
    """Some tokens of the terms and some transitions."""

    tokens: slice
    transitions: slice


def terms_of(
    parts: Callable[[int], Sequence[Part]], advantages: Float[Tensor, "b"], batch: Sequence[Unit]
) -> list[Terms]:
    """What the units of a batch contribute, one entry for each number of chains and kind of term.

    `parts` are those of the AR step at a place among the kept ones.
    """
    found: dict[tuple[int, bool, bool], list[Terms]] = {}
    for step, units in groupby(enumerate(batch), key=lambda placed: placed[1].step):
        slots = torch.full((len(advantages),), -1, device=advantages.device)
        for slot, unit in units:
            slots[unit.image] = slot
        for part in parts(step):
            kind = (part.evidence.chains, part.surrogate is None, part.penalty is None)
            terms = terms_of_part(part, slots, advantages)
            if len(terms.rows):
                found.setdefault(kind, []).append(terms)
    return [joined(each) for each in found.values()]


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
        sources=((evidence, here),),
        surrogate=None if part.surrogate is None else each * (evidence.weight / part.surrogate),
        penalty=None if part.penalty is None else each / part.penalty,
    )


def joined(parts: Sequence[Terms]) -> Terms:
    """Terms of one kind, one after the other."""
    if len(parts) == 1:
        return parts[0]
    surrogates, penalties = ([getattr(part, name) for part in parts] for name in ("surrogate", "penalty"))
    return Terms(
        rows=torch.cat([part.rows for part in parts]),
        advantage=torch.cat([part.advantage for part in parts]),
        sources=tuple(source for part in parts for source in part.sources),
        surrogate=None if surrogates[0] is None else torch.cat(surrogates),
        penalty=None if penalties[0] is None else torch.cat(penalties),
    )
