"""Selectors: the unknown tokens of an AR step that carry loss."""

import attrs
from jaxtyping import Bool

from margrpo.contracts import Selector
from margrpo.declare import at_least, between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.maths import consistency, noise, uncertainty, unmasking
from margrpo.records import ARStep, Extent, Needs, Rollout


def chosen(within: Selector | None, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
    """The tokens that a nested selector chooses, or U_i without one."""
    return within.select(rollout, step) if within else step.unknown


def needed(within: Selector | None) -> Needs:
    """The needs of a nested selector, or of U_i without one."""
    return within.needs() if within else Needs(virtual=True)


def extent(within: Selector | None, tokens: int) -> Extent:
    """The extent of a nested selector, or of U_i without one."""
    return within.extent(tokens) if within else Extent()


def share_extent(fraction: float, tokens: int, within: Selector | None) -> Extent:
    """The bounds of a share of all the tokens of an image, of which the candidates are marked."""
    count = uncertainty.share(fraction, tokens)
    return Extent(count / tokens, count / tokens, count) & extent(within, tokens)


@component
class Every:
    """All tokens unknown at the input of the step, U_i, committed or not."""

    def needs(self) -> Needs:
        """Needs draws of the tokens that are not committed."""
        return Needs(virtual=True)

    def extent(self, tokens: int) -> Extent:
        """All of U_i."""
        return Extent()

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """All unknown tokens U_i."""
        return step.unknown


@component
class Committed:
    """The tokens committed in the step, P_i: the true policy gradient."""

    def needs(self) -> Needs:
        """The selector needs no records."""
        return Needs()

    def extent(self, tokens: int) -> Extent:
        """All committed tokens."""
        return Extent(left=0.0)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The committed tokens P_i."""
        return step.committed


@component
class Uncommitted:
    """The tokens that stay unknown after the step, U_i without P_i."""

    last_too: bool = setting(
        False,
        "whether to select the last token at the last step, which has no uncommitted token, as in the paper's release",
    )

    def needs(self) -> Needs:
        """Needs draws of uncommitted tokens."""
        return Needs(virtual=True)

    def extent(self, tokens: int) -> Extent:
        """All tokens that a later step makes."""
        return Extent(committed=0.0, last_too=self.last_too)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The uncommitted tokens U_i \\ P_i."""
        if self.last_too:
            return unmasking.still_unknown(rollout.order, step.remaining)
        return step.unknown & ~step.committed


@component
class Uncertain:
    """The tokens of an image whose trajectories disagree most   (mar_grpo, section 3.3)."""

    fraction: float = setting(0.3, "share of the image's n tokens, at least one", check=between(0, 1, open_low=True))
    within: Selector | None = setting(None, "candidate tokens; default: all of U_i")

    def needs(self) -> Needs:
        """Needs at least two trajectories of all tokens."""
        return needed(self.within) | Needs(trajectories=2, everywhere=True)

    def extent(self, tokens: int) -> Extent:
        """The share of the tokens, among the candidates."""
        return share_extent(self.fraction, tokens, self.within)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The candidates among the ⌊fraction · n⌋ most uncertain tokens of the whole image."""
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
    first_step: int = setting(
        1, "first AR step that is filtered, from 0; 2 in the release of mar_grpo", check=at_least(1)
    )
    within: Selector | None = setting(None, "candidate tokens; default: all of U_i")

    def needs(self) -> Needs:
        """Needs the predictions of the AR step before."""
        return needed(self.within) | Needs(virtual=True, previous=True)

    def extent(self, tokens: int) -> Extent:
        """At most the candidates."""
        return attrs.evolve(extent(self.within, tokens), known=False)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The candidates with g > threshold; at steps before `first_step`, all candidates."""
        candidates = chosen(self.within, rollout, step)
        if step.previous is None or step.index < self.first_step:
            return candidates
        now = step.chain.sample[0, step.chain.rows(candidates)]
        gain = consistency.progress(now, step.previous[candidates], rollout.tokens[candidates])
        return torch.zeros_like(candidates).masked_scatter(candidates, gain > self.threshold)


@component
class Random:
    """A keyed random share of tokens, the control for every other selector."""

    fraction: float = setting(0.3, "share of the image's n tokens, at least one", check=between(0, 1, open_low=True))
    within: Selector | None = setting(None, "candidate tokens; default: all of U_i")

    def needs(self) -> Needs:
        """The needs of the candidates."""
        return needed(self.within)

    def extent(self, tokens: int) -> Extent:
        """The share of the tokens, among the candidates."""
        return share_extent(self.fraction, tokens, self.within)

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The candidates among ⌊fraction · n⌋ random tokens of the image, which are fixed over the AR steps."""
        candidates = chosen(self.within, rollout, step)
        keys = [(*rollout.key, "random selector", *key) for key in rollout.prompts.keys]
        rank = noise.ranks(keys, candidates.shape[1], str(candidates.device))
        return candidates & (rank < uncertainty.share(self.fraction, candidates.shape[1]))
