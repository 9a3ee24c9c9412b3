"""The tokens of a batch that reach the head, gathered from all its AR steps."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from margrpo.declare import record
from margrpo.records import Transitions
from margrpo.train.update.batches import ImageStep
from margrpo.train.update.step_losses import LossTerm


@record
class Chunk:
    """A chunk of terms: tokens and transitions that the head evaluates at once."""

    tokens: slice
    transitions: slice


@record
class Terms:
    """Tokens of a batch with equally many chains.

    - `rows`: places of the tokens among all tokens of the batch.
    - `sources`: recorded transitions, and the places of the tokens in them; copied only when they are scored.
    - `surrogate`, `penalty`: the factor of each token's surrogate and penalty; None if a term is absent.
    """

    rows: Int[Tensor, "m"]
    advantage: Float[Tensor, "m"]
    sources: tuple[tuple[Transitions, Tensor], ...]
    surrogate: Float[Tensor, "m"] | None
    penalty: Float[Tensor, "m"] | None

    @property
    def chains(self) -> int:
        """The number k of chains."""
        return self.sources[0][0].chains

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Chunks of at most `size` tokens × transitions, which bounds memory."""
        count, transitions = len(self.rows), self.sources[0][0].state.shape[0]
        tokens = min(count, size)
        together = max(1, size // tokens)
        for start in range(0, count, tokens):
            for first in range(0, transitions, together):
                yield Chunk(slice(start, min(start + tokens, count)), slice(first, min(first + together, transitions)))

    def gathered(self, chunk: Chunk) -> tuple[Tensor, Tensor, Tensor]:
        """State, target and std of a chunk, each (t, k, m, d)."""
        parts, start = [], 0
        for transitions, tokens in self.sources:
            some = tokens[max(0, chunk.tokens.start - start) : max(0, chunk.tokens.stop - start)]
            if len(some):
                parts.append(transitions.part(some, chunk.transitions))
            start += len(tokens)
        if len(parts) == 1:
            return parts[0]
        state, target, std = (torch.cat(column, dim=2) for column in zip(*parts, strict=True))
        return state, target, std

    @classmethod
    def concat(cls, parts: "Sequence[Terms]") -> "Terms":
        """The terms of all `parts`, part by part."""
        if len(parts) == 1:
            return parts[0]
        surrogates, penalties = ([getattr(part, name) for part in parts] for name in ("surrogate", "penalty"))
        return cls(
            rows=torch.cat([part.rows for part in parts]),
            advantage=torch.cat([part.advantage for part in parts]),
            sources=tuple(source for part in parts for source in part.sources),
            surrogate=None if surrogates[0] is None else torch.cat(surrogates),
            penalty=None if penalties[0] is None else torch.cat(penalties),
        )


def terms_of(
    loss_terms: Callable[[int], Sequence[LossTerm]], advantages: Float[Tensor, "b"], batch: Sequence[ImageStep]
) -> list[Terms]:
    """The terms of a batch, one entry per number of chains and kind of term.

    `loss_terms` gives the terms of the AR step at a place among the kept AR steps.
    """
    found: dict[tuple[int, bool, bool], list[Terms]] = {}
    for step, images in groupby(enumerate(batch), key=lambda placed: placed[1].step):
        slots = torch.full((len(advantages),), -1, device=advantages.device)
        for slot, each in images:
            slots[each.image] = slot
        for term in loss_terms(step):
            kind = (term.transitions.chains, term.surrogate is None, term.penalty is None)
            terms = in_batch(term, slots, advantages)
            if len(terms.rows):
                found.setdefault(kind, []).append(terms)
    return [Terms.concat(each) for each in found.values()]


def in_batch(term: LossTerm, slots: Int[Tensor, "b"], advantages: Float[Tensor, "b"]) -> Terms:
    """The tokens of a term whose images are in the batch; `slots` is each image's place in it, −1 if absent."""
    transitions, n = term.transitions, term.transitions.where.shape[1]
    index = transitions.where.flatten().nonzero()[:, 0]
    here = (slots[index // n] >= 0).nonzero()[:, 0]
    image, token = index[here] // n, index[here] % n
    each = torch.ones(len(here), device=advantages.device)
    return Terms(
        rows=slots[image] * n + token,
        advantage=advantages[image],
        sources=((transitions, here),),
        surrogate=None if term.surrogate is None else each * (transitions.weight / term.surrogate),
        penalty=None if term.penalty is None else each / term.penalty,
    )
