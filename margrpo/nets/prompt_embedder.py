"""The learned prefix that a backbone reads for a prompt."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from margrpo.records import Prompts


class Embedded(nn.Module):
    """Rows of a learned table, chosen by the prompt."""

    def __init__(self, indices: Callable[[Prompts], Int[Tensor, "b p"]], *, rows: int, width: int):
        super().__init__()
        self.indices = indices
        self.class_emb = nn.Embedding(rows, width)

    def forward(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        return self.class_emb(self.indices(prompts))
