"""Which parameters the update changes."""

from collections.abc import Iterator

from margrpo.contracts import Model
from margrpo.declare import component
from margrpo.lazy import Parameter


@component
class Backbone:
    """Everything in front of the head; the head is frozen   (mar_grpo, section 3.2)."""

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """The backbone's parameters with their names in the model."""
        return ((name, value) for name, value in model.named_parameters() if name.startswith("backbone."))


@component
class Head:
    """The diffusion head only."""

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """The head's parameters with their names in the model."""
        return ((name, value) for name, value in model.named_parameters() if name.startswith("head."))


@component
class Everything:
    """Backbone and head, as plain GRPO does."""

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """All parameters."""
        return iter(model.named_parameters())
