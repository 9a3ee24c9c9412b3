"""Estimators: the transitions that stand for a token in the loss."""

from dataclasses import replace

import attrs
from jaxtyping import Bool

from margrpo.contracts import Selector
from margrpo.declare import at_least, component, one_of, positive, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import ARStep, Chains, Extent, Needs, Rollout, Transitions


def split(
    where: Selector | None, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]
) -> tuple[Bool[Tensor, "b n"], Bool[Tensor, "b n"]]:
    """The selected tokens that `where` marks, and the other selected tokens."""
    marked = selected & where.select(rollout, step) if where else selected
    return marked, selected & ~marked


def several(trajectories: int, where: Selector | None, tokens: int) -> Chains:
    """Bounds for K chains of the tokens that `where` selects, or of all tokens."""
    return Chains(trajectories, where.extent(tokens) if where else Extent())


@component
class Single:
    """The main chain of each token: plain GRPO."""

    def needs(self) -> Needs:
        """The estimator adds no needs of its own."""
        return Needs()

    def chains(self, tokens: int) -> Chains:
        """The main chain."""
        return Chains()

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """The drawn transitions of the main chain of every selected token."""
        return [Transitions.drawn(step.chain, selected)]


@component
class MultiTrajectory:
    """The mean over K chains drawn again from a token's condition at commitment   (mar_grpo, section 3.2)."""

    trajectories: int = setting(5, "chains per token, K", check=at_least(1))
    where: Selector | None = setting(None, "tokens with K chains; other tokens use the main chain; default: all")
    weight: float = setting(1.0, "weight of tokens with K chains, relative to other tokens", check=positive)
    std: str = setting(
        "own",
        'std for scoring the K chains: their "own", or that of the "main" chain, as in the release of mar_grpo',
        check=one_of("own", "main"),
    )

    def needs(self) -> Needs:
        """Needs K trajectories, and the main chains if their std is used."""
        where = self.where.needs() if self.where else Needs()
        return Needs(trajectories=self.trajectories, virtual=self.std == "main") | where

    def chains(self, tokens: int) -> Chains:
        """K chains of the tokens in `where`."""
        return several(self.trajectories, self.where, tokens)

    def with_chains(self, chains: int) -> "MultiTrajectory":
        """K set to another number."""
        return attrs.evolve(self, trajectories=chains)  # type: ignore[misc]  # a component is an attrs class

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """K chains of the tokens in `where`, and the main chain of other selected tokens."""
        assert rollout.trajectories is not None
        marked, others = split(self.where, rollout, step, selected)
        several = Transitions.drawn(rollout.trajectories.some(0, self.trajectories), marked, self.weight)
        if self.std == "main":
            state, target, own = several.part()
            main = step.chain.std[:, :, step.chain.rows(marked)].expand_as(own)
            rows = torch.arange(len(several.rows), device=main.device)
            several = replace(several, state=state, target=target, std=main, rows=rows)
        return [several, Transitions.drawn(step.chain, others)]


@component
class RaoBlackwell:
    """Multi-trajectory expectation with the noise of each transition integrated out: equal mean, less variance.

    The reward does not depend on the noise of a resampled chain, so E[ℓ | x_t] may stand for ℓ. This also holds for
    main chains of tokens that were not committed. It never holds for committed tokens, whose noise made the image. It
    is exact if the selection does not depend on the noise; `consistent` and `uncertain` depend on the chains' ends.
    """

    trajectories: int = setting(5, "chains per token, K", check=at_least(1))
    where: Selector | None = setting(None, "tokens with K chains; other tokens use the main chain; default: all")
    weight: float = setting(1.0, "weight of tokens with K chains, relative to other tokens", check=positive)

    def needs(self) -> Needs:
        """Needs K trajectories."""
        return Needs(trajectories=self.trajectories) | (self.where.needs() if self.where else Needs())

    def chains(self, tokens: int) -> Chains:
        """K chains of the tokens in `where`."""
        return several(self.trajectories, self.where, tokens)

    def with_chains(self, chains: int) -> "RaoBlackwell":
        """K set to another number."""
        return attrs.evolve(self, trajectories=chains)  # type: ignore[misc]  # a component is an attrs class

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """Expected transitions of tokens in `where` and of uncommitted tokens; drawn transitions of other tokens."""
        assert rollout.trajectories is not None
        marked, others = split(self.where, rollout, step, selected)
        return [
            Transitions.expected(rollout.trajectories.some(0, self.trajectories), marked, self.weight),
            Transitions.expected(step.chain, others & ~step.committed),
            Transitions.drawn(step.chain, others & step.committed),
        ]
