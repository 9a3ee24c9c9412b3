"""A plugin whose estimator varies its chains, beside components that need a setting."""

import attrs
import torch

from margrpo import Entry, component, hookimpl, setting
from margrpo.declare import REQUIRED
from margrpo.records import ARStep, Chains, Needs, Rollout, Transitions

MARGRPO_HOOKS = 1


@component
class LastChains:
    """The last K of 2K chains."""

    count: int = setting(3, "chains per token, K")

    def needs(self) -> Needs:
        """Needs 2K trajectories, and the predictions of the AR step before."""
        return Needs(trajectories=2 * self.count, virtual=True, previous=True)

    def chains(self, tokens: int) -> Chains:
        """K chains of all tokens."""
        return Chains(self.count)

    def with_chains(self, chains: int) -> "LastChains":
        """K set to another number."""
        return attrs.evolve(self, count=chains)

    def transitions(self, rollout: Rollout, step: ARStep, selected: torch.Tensor) -> list[Transitions]:
        """The last K chains of each selected token."""
        assert rollout.trajectories is not None
        assert step.index == 0 or step.previous is not None
        return [Transitions.drawn(rollout.trajectories.some(self.count, self.count), selected)]


@component
class Demanding(LastChains):
    """The last chains, at a number without a default."""

    count: int = setting(REQUIRED, "chains per token, K")


@component
class Flat:
    """Equal weights."""

    def weights(self, std: torch.Tensor) -> torch.Tensor:
        """1 for each transition."""
        return torch.ones_like(std)


@component
class Power(Flat):
    """Equal weights, with a setting that has no default."""

    power: float = setting(REQUIRED, "power of the std")


@hookimpl
def margrpo_components() -> list[Entry]:
    """Two estimators and two weightings."""
    here = "tests.evaluate.chained"
    return [
        Entry("estimator.last_chains", f"{here}:LastChains", "the last K of 2K chains"),
        Entry("estimator.demanding", f"{here}:Demanding", "the last chains, at a number without a default"),
        Entry("weighting.flat", f"{here}:Flat", "equal weights"),
        Entry("weighting.power", f"{here}:Power", "equal weights, with a setting that has no default"),
    ]
