"""The update: which tokens and transitions carry loss, the surrogate, the penalty and the optimizer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float

from margrpo.contracts.model import Model
from margrpo.lazy import Parameter, Tensor
from margrpo.records import ARStep, Chains, Extent, Key, Needs, Rollout, Transitions


@runtime_checkable
class Selector(Protocol):
    """Which unknown tokens of an AR step."""

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def extent(self, tokens: int) -> Extent:
        """Bounds on the marked tokens of an image of `tokens` tokens, from which `margrpo plan` reckons."""
        ...

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """A subset of the tokens unknown at this step."""
        ...


@runtime_checkable
class Estimator(Protocol):
    """Which transitions stand for a token in the loss."""

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def chains(self, tokens: int) -> Chains:
        """The chains that are scored for a token of an image of `tokens` tokens, at most."""
        ...

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> Sequence[Transitions]:
        """The transitions to score for the selected tokens, each token in at most one piece of evidence."""
        ...


@runtime_checkable
class VariesChains(Protocol):
    """What an estimator may do besides: score another number of chains, as `margrpo bench` has it do."""

    def with_chains(self, chains: int) -> Estimator:
        """An estimator with the other settings of this one that scores `chains` chains per token."""
        ...


@runtime_checkable
class Weighting(Protocol):
    """How much each trained transition counts."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """Positive weights of mean 1 from the nominal stds of the trained transitions."""
        ...


@runtime_checkable
class Objective(Protocol):
    """The surrogate whose gradient is the update's direction, and how its terms are averaged."""

    updates: int

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """The quantity to raise, per transition."""
        ...

    def divisors(self, counts: Sequence[int]) -> Sequence[int]:
        """What the terms of each AR step are divided by, given how many there are at each."""
        ...


@runtime_checkable
class Replay(Protocol):
    """How recorded transitions are put to the policy again: guidance, mask, dropout, and the floor of the variance.

    Where `mode` turns dropout on, `uses_dropout` is true: images are then replayed one at a time, each with a key of
    its own, so that what is dropped does not depend on the size of a batch.
    """

    min_variance: float
    uses_dropout: bool

    def scale(self, rollout_scale: float) -> float:
        """The scale for replay, given the rollout's."""
        ...

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """What the backbone takes as unknown."""
        ...

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """How the model is meanwhile; what is drawn is a function of the key, and what is changed is put back."""
        ...


@runtime_checkable
class Penalty(Protocol):
    """What holds the policy near its reference.

    - `reference`: which earlier policy is kept to compare with, or None
    - `where`: tokens whose main chains the penalty falls on; None where it falls on what carries loss
    """

    reference: "Reference | None"
    where: Selector | None

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def build(self, model: Model) -> "Regularizer":
        """Make the penalty's state for this model, as it is before training."""
        ...


@runtime_checkable
class Regularizer(Protocol):
    """The built penalty; it falls on what carries loss, or on the main chains of the tokens that `where` marks."""

    reference: Model | None
    where: Selector | None

    def divergence(
        self, mean: Float[Tensor, "k m d"], reference: Float[Tensor, "k m d"], std: Float[Tensor, "k m d"]
    ) -> Float[Tensor, "k m"]:
        """The divergence of each transition, times its coefficient."""
        ...

    def after_step(self, step: int, model: Model) -> None:
        """Let the reference follow, where it does."""
        ...


@runtime_checkable
class Reference(Protocol):
    """Which earlier policy a penalty compares with."""

    def is_due(self, step: int) -> bool:
        """Whether the reference becomes the current policy after this many steps."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """Which parameters the update changes."""

    def trained(self, backbone: int, head: int) -> tuple[int, int]:
        """How many of the `backbone` parameters and of the `head` parameters it trains, at most."""
        ...

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters; everything else is frozen."""
        ...


@runtime_checkable
class Optimizer(Protocol):
    """How a gradient becomes a step.

    - `max_norm`: largest norm of the gradient
    - `state_per_parameter`: numbers that it keeps of each trained parameter, rounded up
    """

    max_norm: float
    state_per_parameter: int

    def build(self, parameters: Sequence[Parameter]) -> Any:
        """A torch.optim.Optimizer."""
        ...

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of this step."""
        ...
