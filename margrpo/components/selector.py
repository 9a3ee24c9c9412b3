"""Which unknown tokens of an AR step."""

import attrs
from jaxtyping import Bool

from margrpo.contracts import Selector
from margrpo.declare import at_least, between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.maths import consistency, noise, uncertainty, unmasking
from margrpo.records import ARStep, Extent, Needs, Rollout


def chosen(within: Selector | None, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
    """What a nested selector chooses, or all of U_i where there is none."""
    return within.select(rollout, step) if within else step.unknown


def needed(within: Selector | None) -> Needs:
    """What a nested selector needs, or what all of U_i needs."""
    return within.needs() if within else Needs(virtual=True)


def extent(within: Selector | None, tokens: int) -> Extent:
    """The bounds of a nested selector, or those of all of U_i where there is none."""
    return within.extent(tokens) if within else Extent()


def share_extent(fraction: float, tokens: int, within: Selector | None) -> Extent:
    """The bounds of a share of all the tokens of an image, of which the candidates are marked."""
    count = uncertainty.share(fraction, tokens)
    return Extent(count / tokens, count / tokens, count) & extent(within, tokens)


@component
class Every:
    """All tokens unknown at the input of the step, U_i, committed or not."""

    def needs(self) -> Needs:
        """Draws of the tokens that are not committed."""
        return Needs(virtual=True)

    def extent(self, tokens: int) -> Extent:
        """All of U_i."""
        return Extent()

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i."""
        return step.unknown


@component
class Committed:
    """The tokens that this step made, P_i: the true policy gradient."""

    def needs(self) -> Needs:
        """Nothing."""
        return Needs()

    def extent(self, tokens: int) -> Extent:
        """All committed tokens."""
        return Extent(left=0.0)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """P_i."""
        return step.committed


@component
class Uncommitted:
    """The tokens that a later step makes, U_i without P_i."""

    last_too: bool = setting(False, "at the last step, which leaves none, its last token, as in the paper's release")

    def needs(self) -> Needs:
        """Draws of these tokens."""
        return Needs(virtual=True)

    def extent(self, tokens: int) -> Extent:
        """All tokens that a later step makes."""
        return Extent(committed=0.0, last_too=self.last_too)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i \\ P_i."""
        if self.last_too:
            return unmasking.still_unknown(rollout.order, step.remaining)
        return step.unknown & ~step.committed


@component
class Uncertain:
    """The tokens of an image whose trajectories disagree most   (mar_grpo, section 3.3)."""

    fraction: float = setting(0.3, "share of the image's n tokens, at least one", check=between(0, 1, open_low=True))
    within: Selector | None = setting(None, "chosen among these; all of U_i unless given")

    def needs(self) -> Needs:
        """At least two trajectories of all tokens, which are compared."""
        return needed(self.within) | Needs(trajectories=2, everywhere=True)

    def extent(self, tokens: int) -> Extent:
        """The share of the tokens, among the candidates."""
        return share_extent(self.fraction, tokens, self.within)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """Those of the ⌊fraction · n⌋ most uncertain tokens of the whole image that are unknown here."""
        assert rollout.trajectories is not None
        drawn = rollout.trajectories.drawn
        score = torch.full(drawn.shape, -1.0, device=drawn.device)
        score = score.masked_scatter(drawn, uncertainty.uncertainty(rollout.trajectories.sample))
        count = uncertainty.share(self.fraction, drawn.shape[1])
        return uncertainty.largest(score, count) & drawn & chosen(self.within, rollout, step)


@component
class Consistent:
    """The tokens whose prediction moved towards the finished image since the step before   (mar_grpo, section 3.4)."""

    threshold: float = setting(0.0, "smallest gain of cosine similarity, excluded", check=between(-2, 2))
    first_step: int = setting(1, "first AR step that is filtered, counted from 0; the release: 2", check=at_least(1))
    within: Selector | None = setting(None, "chosen among these; all of U_i unless given")

    def needs(self) -> Needs:
        """The predictions of the step before."""
        return needed(self.within) | Needs(virtual=True, previous=True)

    def extent(self, tokens: int) -> Extent:
        """At most the candidates."""
        return attrs.evolve(extent(self.within, tokens), known=False)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """Tokens with g > threshold; at the first step, which has none before it, all."""
        candidates = chosen(self.within, rollout, step)
        if step.previous is None or step.index < self.first_step:
            return candidates
        now = step.chain.sample[0, step.chain.rows(candidates)]
        gain = consistency.progress(now, step.previous[candidates], rollout.tokens[candidates])
        return torch.zeros_like(candidates).masked_scatter(candidates, gain > self.threshold)


@component
class Random:
    """A keyed random share, the control for every cleverer choice."""

    fraction: float = setting(0.3, "share of the image's n tokens, at least one", check=between(0, 1, open_low=True))
    within: Selector | None = setting(None, "chosen among these; all of U_i unless given")

    def needs(self) -> Needs:
        """Whatever the candidates need."""
        return needed(self.within)

    def extent(self, tokens: int) -> Extent:
        """The share of the tokens, among the candidates."""
        return share_extent(self.fraction, tokens, self.within)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """Those of ⌊fraction · n⌋ random tokens of the image that are candidates; the same at each AR step."""
        candidates = chosen(self.within, rollout, step)
        keys = [(*rollout.key, "random selector", *key) for key in rollout.prompts.keys]
        rank = noise.ranks(keys, candidates.shape[1], str(candidates.device))
        return candidates & (rank < uncertainty.share(self.fraction, candidates.shape[1]))
