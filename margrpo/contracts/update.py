"""Contracts of the update: tokens and transitions with a loss, the surrogate, the penalty and the optimizer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float

from margrpo.contracts.model import Model
from margrpo.lazy import Parameter, Tensor
from margrpo.records import ARStep, Chains, Extent, Key, Needs, Rollout, Transitions


@runtime_checkable
class Selector(Protocol):
    """A choice of the unknown tokens of an AR step that carry loss."""

    def needs(self) -> Needs:
        """The parts of a rollout that must be recorded for this component."""
        ...

    def extent(self, tokens: int) -> Extent:
        """Bounds on the selected tokens of an image of `tokens` tokens, for `margrpo plan`."""
        ...

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The selected tokens, a subset of the tokens unknown at `step`."""
        ...


@runtime_checkable
class Estimator(Protocol):
    """A choice of the transitions that stand for a token in the loss."""

    def needs(self) -> Needs:
        """The parts of a rollout that must be recorded for this component."""
        ...

    def chains(self, tokens: int) -> Chains:
        """Bounds on the chains that are scored for a token of an image of `tokens` tokens."""
        ...

    def transitions(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> Sequence[Transitions]:
        """The transitions to score for the `selected` tokens; each token is in at most one of the returned records."""
        ...


@runtime_checkable
class VariesChains(Protocol):
    """An optional part of an estimator: a variable number of chains, for `margrpo bench` and `margrpo variance`."""

    def with_chains(self, chains: int) -> Estimator:
        """A copy of the estimator that scores `chains` chains per token."""
        ...


@runtime_checkable
class Weighting(Protocol):
    """The weights of the trained transitions in the loss."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """Positive weights of mean 1, from the nominal `std` of each trained transition."""
        ...


@runtime_checkable
class Objective(Protocol):
    """The surrogate whose gradient is the update's direction, and the mean over its terms.

    `updates` is the number of optimizer steps per rollout.
    """

    updates: int

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """The quantity to maximise, per trajectory and token, from log-probabilities now and at the rollout."""
        ...

    def divisors(self, counts: Sequence[int]) -> Sequence[int]:
        """The divisor of the terms of each AR step, given the number of terms of each."""
        ...


@runtime_checkable
class Replay(Protocol):
    """The settings under which the update evaluates recorded transitions: guidance, mask, mode and variance.

    - `min_variance`: lower bound of the variance of a transition.
    - `uses_dropout`: whether `mode` turns dropout on. Images are then replayed one at a time, each with a key of its
      own, so that the dropped units do not depend on the size of a batch.
    """

    min_variance: float
    uses_dropout: bool

    def scale(self, rollout_scale: float) -> float:
        """The scale of guidance in replay, given the scale of the rollout."""
        ...

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The tokens that the backbone treats as unknown at `step`."""
        ...

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """Context manager that sets the model's mode for replay and restores it on exit.

        Randomness depends on `key` only.
        """
        ...


@runtime_checkable
class Penalty(Protocol):
    """A penalty that holds the policy near its reference.

    - `reference`: earlier policy that is kept for the comparison, or None
    - `where`: tokens whose main chains are penalised; None for the transitions that carry loss
    """

    reference: "Reference | None"
    where: Selector | None

    def needs(self) -> Needs:
        """The parts of a rollout that must be recorded for this component."""
        ...

    def build(self, model: Model) -> "Regularizer":
        """Make the penalty's state for `model`; called before training."""
        ...


@runtime_checkable
class Regularizer(Protocol):
    """The object that a penalty builds.

    - `reference`: the policy to stay near; None if there is no reference model.
    - `where`: selects the tokens whose main chains are penalised; None penalises the transitions that carry loss.
    """

    reference: Model | None
    where: Selector | None

    def divergence(
        self, mean: Float[Tensor, "k m d"], reference: Float[Tensor, "k m d"], std: Float[Tensor, "k m d"]
    ) -> Float[Tensor, "k m"]:
        """The divergence from `reference`, times the penalty's coefficient."""
        ...

    def after_step(self, step: int, model: Model) -> None:
        """Update the reference after training step `step`, if it is due."""
        ...


@runtime_checkable
class Reference(Protocol):
    """A rule for the earlier policy that a penalty compares with."""

    def is_due(self, step: int) -> bool:
        """Whether the reference becomes a copy of the current policy after `step` steps."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """A choice of the parameters that the update changes."""

    def trained(self, backbone: int, head: int) -> tuple[int, int]:
        """Bounds on the trained numbers of the `backbone` parameters and of the `head` parameters."""
        ...

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters that are trained; all other parameters are frozen."""
        ...


@runtime_checkable
class Optimizer(Protocol):
    """An optimizer and its schedule.

    - `max_norm`: norm that gradients are clipped to.
    - `state_per_parameter`: numbers that the optimizer keeps per trained parameter, rounded up.
    """

    max_norm: float
    state_per_parameter: int

    def build(self, parameters: Sequence[Parameter]) -> Any:
        """Make the torch.optim.Optimizer of `parameters`."""
        ...

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step` of `steps`."""
        ...
