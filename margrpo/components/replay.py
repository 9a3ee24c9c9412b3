"""How recorded transitions are put to the policy again."""

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
    """The rollout's own guidance: the exact density of what was drawn, at the cost of a second backbone pass."""

    min_variance = 0.0
    uses_dropout = False

    def scale(self, rollout_scale: float) -> float:
        """The rollout's scale."""
        return rollout_scale

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i, what was unknown at the input of the step."""
        return step.unknown

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """As it was in the rollout, in evaluation mode."""
        return nullcontext()


@component
class Conditional:
    """No guidance: the conditional branch alone; cheaper, and off the behaviour density."""

    min_variance = 0.0
    uses_dropout = False

    def scale(self, rollout_scale: float) -> float:
        """1, whatever the rollout's."""
        return 1.0

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_i, what was unknown at the input of the step."""
        return step.unknown

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """As it was in the rollout, in evaluation mode."""
        return nullcontext()


@component
class Released:
    """As the release of mar_grpo replays: no guidance, the mask of the step after, dropout, a floor of the variance.

    The policy is in training mode, so its own `dropout` says how much is dropped. docs/paper_release.md says what each
    of these changes, and how each is put right alone.
    """

    mask_at: str = setting(
        "after",
        'what the backbone takes as unknown: "after" the step, or "before" it, as it was drawn',
        check=one_of("after", "before"),
    )
    uses_dropout: ClassVar[bool] = True

    min_variance: float = setting(
        1e-6, "least variance in the log-density's square, least std in its log", check=not_negative
    )

    def scale(self, rollout_scale: float) -> float:
        """1, whatever the rollout's."""
        return 1.0

    def mask(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """U_{i+1}, and at the last step the token that is committed last; or U_i with `mask_at = "before"`."""
        if self.mask_at == "before":
            return step.unknown
        return unmasking.still_unknown(rollout.order, step.remaining)

    def mode(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """In training mode, with keyed dropout."""
        from margrpo.nets.dropout import keyed

        return keyed(model, key)
