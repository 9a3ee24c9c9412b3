"""Replays: guidance, mask, mode and variance under which the update evaluates recorded transitions."""

from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar

from jaxtyping import Bool

from margrpo.contracts import Model
from margrpo.declare import component, not_negative, one_of, setting
from margrpo.lazy import Tensor
from margrpo.maths import unmasking
from margrpo.records import ARStep, Key, Rollout


@component
class Guided:
    """The rollout's own guidance: the exact density of the drawn tokens, at the cost of a second backbone pass."""

    min_variance = 0.0
    uses_dropout = False

    def scale(self, rollout_scale: float) -> float:
        """The scale of the rollout."""
        return rollout_scale

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i, the tokens that were unknown at the input of the step."""
        return step.unknown

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """Do nothing: the model stays in evaluation mode, as in the rollout."""
        return nullcontext()


@component
class Conditional:
    """No guidance: the conditional branch alone; cheaper, and off the behaviour density."""

    min_variance = 0.0
    uses_dropout = False

    def scale(self, rollout_scale: float) -> float:
        """The scale 1, whatever the scale of the rollout."""
        return 1.0

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i, the tokens that were unknown at the input of the step."""
        return step.unknown

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """Do nothing: the model stays in evaluation mode, as in the rollout."""
        return nullcontext()


@component
class Released:
    """The replay of the release of mar_grpo: no guidance, the mask of the step after, dropout, a floor of the variance.

    The policy is in training mode, so that its own `dropout` applies. docs/paper_release.md says what each of these
    changes does, and how to undo it alone.
    """

    mask_at: str = setting(
        "after",
        'tokens that the backbone treats as unknown: those "after" the step, or "before" it, as in the rollout',
        check=one_of("after", "before"),
    )
    uses_dropout: ClassVar[bool] = True

    min_variance: float = setting(
        1e-6, "least variance in the log-density's square, least std in its log", check=not_negative
    )

    def scale(self, rollout_scale: float) -> float:
        """The scale 1, whatever the scale of the rollout."""
        return 1.0

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_{i+1}, and at the last step the token that is committed last; or U_i with `mask_at = "before"`."""
        if self.mask_at == "before":
            return step.unknown
        return unmasking.still_unknown(rollout.order, step.remaining)

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """Context manager: training mode with keyed dropout, then evaluation mode again."""
        from margrpo.nets.dropout import keyed

        return keyed(model, key)
