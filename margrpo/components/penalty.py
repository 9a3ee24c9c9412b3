"""Penalties that hold the policy near its reference."""

from typing import ClassVar

from jaxtyping import Float

from margrpo.contracts import Model, Reference, Regularizer, Selector
from margrpo.declare import component, not_negative, setting
from margrpo.lazy import Tensor
from margrpo.maths import divergence
from margrpo.records import Needs


@component
class NoPenalty:
    """A run without a penalty and without a reference."""

    reference: ClassVar[Reference | None] = None
    where: ClassVar[Selector | None] = None

    def needs(self) -> Needs:
        """The penalty needs no records."""
        return Needs()

    def build(self, model: Model) -> Regularizer:
        """Make a regularizer without a reference."""
        from margrpo.nets.regularizer import no_penalty

        return no_penalty()


@component
class GaussianKL:
    """The exact KL between the transition under the policy and under the reference."""

    coefficient: float = setting(0.01, "factor on the mean KL of a transition, in nats", check=not_negative)
    reference: Reference = setting(meaning="earlier policy that the penalty compares with")
    where: Selector | None = setting(
        None, "tokens whose main chains are penalised; default: the transitions that carry loss"
    )

    def needs(self) -> Needs:
        """The needs of the selector in `where`."""
        return self.where.needs() if self.where else Needs()

    def build(self, model: Model) -> Regularizer:
        """Make a regularizer with a copy of the model as its reference."""
        from margrpo.nets import regularizer

        return regularizer.Regularizer(model, self.divergence, self.reference.is_due, self.where)

    def divergence(
        self, mean: Float[Tensor, "k m d"], reference: Float[Tensor, "k m d"], std: Float[Tensor, "k m d"]
    ) -> Float[Tensor, "k m"]:
        """coefficient · Σ_d (μ − μ_ref)²/2σ²."""
        return self.coefficient * divergence.gaussian_kl(mean, reference, std)


@component
class K3OfMeans:
    """exp(δ) − δ − 1 of the difference of means, as in the paper's release; not a divergence of densities."""

    coefficient: float = setting(0.01, "factor on the mean over transitions", check=not_negative)
    reference: Reference = setting(meaning="earlier policy that the penalty compares with")
    where: Selector | None = setting(
        None, "tokens whose main chains are penalised; default: the transitions that carry loss"
    )

    def needs(self) -> Needs:
        """The needs of the selector in `where`."""
        return self.where.needs() if self.where else Needs()

    def build(self, model: Model) -> Regularizer:
        """Make a regularizer with a copy of the model as its reference."""
        from margrpo.nets import regularizer

        return regularizer.Regularizer(model, self.divergence, self.reference.is_due, self.where)

    def divergence(
        self, mean: Float[Tensor, "k m d"], reference: Float[Tensor, "k m d"], std: Float[Tensor, "k m d"]
    ) -> Float[Tensor, "k m"]:
        """coefficient · Σ_d exp(δ) − δ − 1, δ = μ_ref − μ."""
        return self.coefficient * divergence.k3_of_means(mean, reference)
