"""Choices of the parameters that the update changes."""

from collections.abc import Iterator

from margrpo.contracts import Model
from margrpo.declare import component
from margrpo.lazy import Parameter


@component
class Backbone:
    """The backbone without the head, which is frozen   (mar_grpo, section 3.2)."""

    def trained(self, backbone: int, head: int) -> tuple[int, int]:
        """The parameters of the backbone."""
        return backbone, 0

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """All parameters outside the model's head, with their names in the model."""
        head = set(map(id, model.head.parameters()))
        return ((name, value) for name, value in model.named_parameters() if id(value) not in head)


@component
class Head:
    """The diffusion head only."""

    def trained(self, backbone: int, head: int) -> tuple[int, int]:
        """The parameters of the head."""
        return 0, head

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """The parameters of the model's head, with their names in the model."""
        head = set(map(id, model.head.parameters()))
        return ((name, value) for name, value in model.named_parameters() if id(value) in head)


@component
class Everything:
    """Backbone and head, as plain GRPO does."""

    def trained(self, backbone: int, head: int) -> tuple[int, int]:
        """The parameters of backbone and head."""
        return backbone, head

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their names in the model."""
        return iter(model.named_parameters())
