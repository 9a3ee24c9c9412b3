"""Records of the update: transitions to score, and a component's needs of a rollout."""

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.lazy import Tensor
from margrpo.records.rollout import Chain


@record
class Transitions:
    """Transitions to score under the current weights: k alternatives for each of m tokens of one AR step.

    - `where`: the m tokens to score.
    - `state`: x_t of q tokens.
    - `target`: point whose log-density is taken: the drawn x_{t-1}, or the behaviour mean if the noise of the
      transition is integrated out.
    - `std`: standard deviation of the transition.
    - `rows`: places of the m tokens among the q; they are copied only when a chunk is scored.
    - `weight`: factor of each token in the loss.
    """

    where: Bool[Tensor, "b n"]
    state: Float[Tensor, "t k q d"]
    target: Float[Tensor, "t k q d"]
    std: Float[Tensor, "t k q d"]
    rows: Int[Tensor, "m"]
    weight: float = 1.0

    @classmethod
    def drawn(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Transitions":
        """Transitions scored at the drawn states: the log-density itself."""
        return cls(where, chain.state, chain.next, chain.std, chain.rows(where), weight)

    @classmethod
    def expected(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Transitions":
        """Transitions scored at the behaviour means: the log-density with the transition's own noise integrated out.

        E[ℓ | x_t] = −Σ_d (μᵇ − μ_θ)²/2σᵇ² + const, which is, up to that constant, the log-density at μᵇ.
        """
        return cls(where, chain.state, chain.mean, chain.std, chain.rows(where), weight)

    @property
    def chains(self) -> int:
        """The number k of alternatives."""
        return self.state.shape[1]

    def part(
        self, tokens: Int[Tensor, "m"] | slice = slice(None), transitions: slice = slice(None)
    ) -> tuple[Float[Tensor, "t k m d"], Float[Tensor, "t k m d"], Float[Tensor, "t k m d"]]:
        """State, target and std of the marked `tokens` at the given `transitions`."""
        rows = self.rows[tokens]
        return self.state[transitions, :, rows], self.target[transitions, :, rows], self.std[transitions, :, rows]


@record
class Needs:
    """The parts of a rollout that must be recorded for a component.

    - `trajectories`: number of chains per selected token.
    - `virtual`: also draws of tokens that are not committed.
    - `previous`: also draws of the AR step before.
    - `everywhere`: trajectories of all tokens instead of the selected ones.
    """

    trajectories: int = 0
    virtual: bool = False
    previous: bool = False
    everywhere: bool = False

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(
            max(self.trajectories, other.trajectories),
            self.virtual or other.virtual,
            self.previous or other.previous,
            self.everywhere or other.everywhere,
        )
