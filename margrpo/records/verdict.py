"""What rewards and canaries are given, what they say of themselves, and what the rewards of a step come to."""

import math
from typing import Literal, get_args

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.lazy import Tensor
from margrpo.records.prompts import Prompt, Prompts

PromptField = Literal["text", "label", "metadata"]
"""Of a prompt."""


PROMPT_FIELDS: tuple[PromptField, ...] = get_args(PromptField)


@record
class Traits:
    """What a reward says of itself.

    Its scores lie between `low` and `high`, and are told by the images and by what it `reads` of a prompt, which each
    prompt must have, or by what it `may_read` where a prompt has it. One that is `deterministic` says the same of the
    same. Its networks have so many `parameters`, 0 where it is arithmetic, which is what it costs. One that is
    `remote` is computed by another process, while this one draws the next images.
    """

    low: float = -math.inf
    high: float = math.inf
    reads: tuple[PromptField, ...] = ()
    may_read: tuple[PromptField, ...] = ()
    deterministic: bool = True
    parameters: int = 0
    remote: bool = False


@record
class Case:
    """An image with its prompt, what is to be seen in a few words, and the least and the greatest score it may get."""

    what: str
    image: Float[Tensor, "3 h w"]
    prompt: Prompt
    low: float
    high: float


@record
class Verdict:
    """What the rewards say of a step: each score, their weighted sum, and the advantage of each image.

    Images that are not `kept` have got no reward and take no part; `notes` say why.
    """

    rewards: Float[Tensor, "b r"]
    total: Float[Tensor, "b"]
    advantages: Float[Tensor, "b"]
    names: tuple[str, ...]
    group: Int[Tensor, "b"]
    kept: Bool[Tensor, "b"]
    notes: tuple[str, ...] = ()


@record
class CanaryInputs:
    """What a canary is shown: held-out images now and as they were before training, of the same prompts and noise.

    `drawn` are images that the step was trained on, k for each of g prompts.
    """

    prompts: Prompts
    images: Float[Tensor, "b 3 h w"]
    before: Float[Tensor, "b 3 h w"]
    drawn: Float[Tensor, "g k 3 h w"]
