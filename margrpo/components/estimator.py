"""Which transitions stand for a token in the loss."""

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
    """The selected tokens that `where` marks, and the others."""
    marked = selected & where.select(rollout, step) if where else selected
    return marked, selected & ~marked


def several(trajectories: int, where: Selector | None, tokens: int) -> Chains:
    """K chains of the tokens that `where` marks, or of all."""
    return Chains(trajectories, where.extent(tokens) if where else Extent())


@component
class Single:
    """The main chain of each token, as it was drawn: plain GRPO."""

    def needs(self) -> Needs:
        """Nothing beyond what the selector needs."""
        return Needs()

    def chains(self, tokens: int) -> Chains:
        """The main chain."""
        return Chains()

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """One chain for every selected token."""
        return [Transitions.drawn(step.chain, selected)]


@component
class MultiTrajectory:
    """K chains drawn afresh from the condition at which the token was committed, averaged   (mar_grpo, section 3.2)."""

    trajectories: int = setting(5, "chains per token, K", check=at_least(1))
    where: Selector | None = setting(None, "tokens that get K chains, the others their main chain; all unless given")
    weight: float = setting(1.0, "weight of these tokens against the others", check=positive)
    std: str = setting(
        "own",
        'whose std the K chains are scored with: their "own", or that of the "main" chain, as in the release',
        check=one_of("own", "main"),
    )

    def needs(self) -> Needs:
        """K trajectories, and main chains of the same tokens where their std is used."""
        where = self.where.needs() if self.where else Needs()
        return Needs(trajectories=self.trajectories, virtual=self.std == "main") | where

    def chains(self, tokens: int) -> Chains:
        """K chains where marked."""
        return several(self.trajectories, self.where, tokens)

    def with_chains(self, chains: int) -> "MultiTrajectory":
        """K set to another number."""
        return attrs.evolve(self, trajectories=chains)  # type: ignore[misc]  # a component is an attrs class

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """K chains where marked, the main chain elsewhere."""
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
    """Multi-trajectory expectation with the noise of each transition integrated out: same mean, less variance.

    For a resampled chain the reward does not depend on its noise, so E[ℓ | x_t] may stand for ℓ. The same holds for
    main chains of tokens that were not committed, never for committed ones, whose noise made the image. Exactly so
    where the selection does not look at that noise; `consistent` and `uncertain` look at the tokens it ended in.
    """

    trajectories: int = setting(5, "chains per token, K", check=at_least(1))
    where: Selector | None = setting(None, "tokens that get K chains, the others their main chain; all unless given")
    weight: float = setting(1.0, "weight of these tokens against the others", check=positive)

    def needs(self) -> Needs:
        """K trajectories."""
        return Needs(trajectories=self.trajectories) | (self.where.needs() if self.where else Needs())

    def chains(self, tokens: int) -> Chains:
        """K chains where marked."""
        return several(self.trajectories, self.where, tokens)

    def with_chains(self, chains: int) -> "RaoBlackwell":
        """K set to another number."""
        return attrs.evolve(self, trajectories=chains)  # type: ignore[misc]  # a component is an attrs class

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> list[Transitions]:
        """Expected transitions where marked and where nothing was committed, the drawn ones elsewhere."""
        assert rollout.trajectories is not None
        marked, others = split(self.where, rollout, step, selected)
        return [
            Transitions.expected(rollout.trajectories.some(0, self.trajectories), marked, self.weight),
            Transitions.expected(step.chain, others & ~step.committed),
            Transitions.drawn(step.chain, others & step.committed),
        ]
