"""Conditioners: the prefix from a caption's words, or from a class label."""

from jaxtyping import Int

from margrpo.contracts import PromptEmbedder
from margrpo.declare import at_least, component, setting
from margrpo.errors import DataError
from margrpo.lazy import Tensor, torch
from margrpo.records import Prompts


@component
class Caption:
    """Embedding of a caption's words, in order, padded to `prefix` positions."""

    classes = None
    words: tuple[str, ...] = setting(meaning="the vocabulary, in the order of the embedding table")
    prefix: int = setting(12, "positions of the prefix; a caption may have at most as many words", check=at_least(1))

    def parameters(self, *, width: int) -> int:
        """A row per word and one for padding."""
        return (len(self.words) + 1) * width

    def build(self, *, width: int) -> PromptEmbedder:
        """Make an embedding with one row per word and one for padding."""
        from margrpo.nets.prompt_embedder import Embedded

        return Embedded(self.indices, rows=len(self.words) + 1, width=width)

    def indices(self, prompts: Prompts) -> Int[Tensor, "b p"]:
        """The rows of the words of each text; 0 is padding."""
        return torch.tensor([self.row(text) for text in prompts.text], device=prompts.label.device)

    def row(self, text: str) -> list[int]:
        """The indices of the words of `text`; unknown words or too many words raise `DataError`."""
        words = text.lower().split()
        if not words:
            raise DataError(f"prompt {text!r}: has no words; write a caption of {self.known()}")
        unknown = [word for word in words if word not in self.words]
        if unknown:
            raise DataError(f"prompt {text!r}: the policy does not know {unknown[0]!r}; it knows {self.known()}")
        if len(words) > self.prefix:
            raise DataError(f"prompt {text!r}: has {len(words)} words, the policy reads at most {self.prefix}")
        return [self.words.index(word) + 1 for word in words] + [0] * (self.prefix - len(words))

    def known(self) -> str:
        """The vocabulary as a phrase, shortened if it is long."""
        return ", ".join(self.words[:30]) + (", …" if len(self.words) > 30 else "")


@component
class Label:
    """Embedding of the class, repeated at every position of the prefix   (mar, section 4)."""

    classes: int = setting(1000, "number of classes", check=at_least(1))
    prefix: int = setting(64, "positions of the prefix, all filled with the class vector", check=at_least(1))

    def parameters(self, *, width: int) -> int:
        """A row per class."""
        return self.classes * width

    def build(self, *, width: int) -> PromptEmbedder:
        """Make an embedding with one row per class."""
        from margrpo.nets.prompt_embedder import Embedded

        return Embedded(self.indices, rows=self.classes, width=width)

    def indices(self, prompts: Prompts) -> Int[Tensor, "b p"]:
        """The label of each image at every position."""
        wrong = [label for label in prompts.label.tolist() if not 0 <= label < self.classes]
        if wrong:
            raise DataError(f"label {wrong[0]}: the policy has classes 0 to {self.classes - 1}; give prompts a label")
        return prompts.label[:, None].expand(-1, self.prefix)
