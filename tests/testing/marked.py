"""A reward that reads what the metadata of its prompts must have."""

from margrpo import component, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import Prompts, Traits


@component
class Marked:
    """The mark that a prompt's metadata gives each of its pictures."""

    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: None = setting(None, "nothing is done when it fails")
    traits = Traits(reads=("metadata",))

    def build(self, device: str) -> "Marked":
        """Nothing is to be loaded."""
        return self

    def score(self, images: Tensor, prompts: Prompts) -> Tensor:
        """As the metadata say."""
        return torch.tensor([each["mark"] for each in prompts.metadata], device=images.device)
