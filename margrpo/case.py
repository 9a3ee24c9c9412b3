"""An image whose score is known."""

from jaxtyping import Float

from margrpo.declare import record
from margrpo.lazy import Tensor
from margrpo.maths.dealing import Prompt


@record
class Case:
    """An image with its prompt, what is to be seen in a few words, and the least and the greatest score it may get."""

    what: str
    image: Float[Tensor, "3 h w"]
    prompt: Prompt
    low: float
    high: float
