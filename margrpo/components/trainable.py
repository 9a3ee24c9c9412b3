"""Which parameters the update changes."""

from collections.abc import Iterator

from margrpo.declare import component
from margrpo.lazy import Module, Tensor


@component
class Backbone:
    """Everything in front of the head; the head is frozen   (mar_grpo, section 3.2)."""

    def parameters(self, model: Module) -> Iterator[tuple[str, Tensor]]:
        """The backbone's parameters with their names in the model."""
        return ((name, value) for name, value in model.named_parameters() if name.startswith("backbone."))


@component
class Head:
    """The diffusion head only."""

    def parameters(self, model: Module) -> Iterator[tuple[str, Tensor]]:
        """The head's parameters with their names in the model."""
        return ((name, value) for name, value in model.named_parameters() if name.startswith("head."))


@component
class Everything:
    """Backbone and head, as plain GRPO does."""

    def parameters(self, model: Module) -> Iterator[tuple[str, Tensor]]:
        """All parameters."""
        return iter(model.named_parameters())
