"""What the update scores, and what a component needs a rollout to record."""

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.lazy import Tensor
from margrpo.records.rollout import Chain


@record
class Transitions:
    """Transitions to score under the current weights: k alternatives for each of m tokens of one AR step.

    `target` is the point whose log-density is taken: the drawn x_{t-1}, or the behaviour mean where the noise of the
    transition has been integrated out. State, target and std are those of q tokens, and `rows` says which of them are
    the m that `where` marks: nothing is copied before a piece of it is scored. `weight` scales a token's share of the
    loss.
    """

    where: Bool[Tensor, "b n"]
    state: Float[Tensor, "t k q d"]
    target: Float[Tensor, "t k q d"]
    std: Float[Tensor, "t k q d"]
    rows: Int[Tensor, "m"]
    weight: float = 1.0

    @classmethod
    def drawn(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Transitions":
        """The states that were drawn: the log-density itself."""
        return cls(where, chain.state, chain.next, chain.std, chain.rows(where), weight)

    @classmethod
    def expected(cls, chain: Chain, where: Bool[Tensor, "b n"], weight: float = 1.0) -> "Transitions":
        """The behaviour means: the log-density with the transition's own noise integrated out.

        E[ℓ | x_t] = −Σ_d (μᵇ − μ_θ)²/2σᵇ² + const, which is, up to that constant, the log-density at μᵇ.
        """
        return cls(where, chain.state, chain.mean, chain.std, chain.rows(where), weight)

    @property
    def chains(self) -> int:
        """k."""
        return self.state.shape[1]

    def part(
        self, tokens: Int[Tensor, "m"] | slice = slice(None), transitions: slice = slice(None)
    ) -> tuple[Float[Tensor, "t k m d"], Float[Tensor, "t k m d"], Float[Tensor, "t k m d"]]:
        """State, target and std of some of the marked tokens at some of the transitions."""
        rows = self.rows[tokens]
        return self.state[transitions, :, rows], self.target[transitions, :, rows], self.std[transitions, :, rows]


@record
class Needs:
    """What a rollout must record for a component to work.

    So many `trajectories` of the tokens that are selected, or with `everywhere` of all; `virtual` draws of tokens that
    are not committed, and with `previous` those of the step before too.
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
