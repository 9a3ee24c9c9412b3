"""Records of the verdict: traits and cases of rewards, the verdict on a step, the inputs of canaries."""

import math
from typing import Literal, get_args

from jaxtyping import Bool, Float, Int

from margrpo.declare import record
from margrpo.lazy import Tensor
from margrpo.records.prompts import Prompt, Prompts

PromptField = Literal["text", "label", "metadata"]
"""A field of a prompt that a reward can read."""


PROMPT_FIELDS: tuple[PromptField, ...] = get_args(PromptField)


@record
class Traits:
    """The properties that a reward declares.

    - `low`, `high`: range of its scores.
    - `reads`: fields of a prompt that the score depends on; each prompt must have them.
    - `may_read`: fields of a prompt that the score depends on if a prompt has them.
    - `deterministic`: whether equal images and prompts get equal scores.
    - `parameters`: number of parameters of its networks, a measure of its cost; 0 for plain arithmetic.
    - `remote`: whether another process computes the scores, while this process draws the next images.
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
    """An image with a known range of scores.

    - `what`: contents of the image in a few words.
    - `image`, `prompt`: arguments of the reward.
    - `low`, `high`: least and greatest score that a sound reward gives.
    """

    what: str
    image: Float[Tensor, "3 h w"]
    prompt: Prompt
    low: float
    high: float


@record
class Verdict:
    """The scores and advantages of a step's images.

    - `rewards`: score of each image by each reward.
    - `total`: weighted sum of an image's rewards.
    - `advantages`: advantage of each image.
    - `names`: names of the rewards.
    - `group`: number of each image's group.
    - `kept`: images that have rewards and take part in the update.
    - `notes`: reasons why other images were dropped.
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
    """The images that a canary measures.

    - `prompts`: held-out prompts.
    - `images`: images of these prompts by the current policy.
    - `before`: images of these prompts with the same noise by the untrained policy.
    - `drawn`: images that the step was trained on, k for each of g prompts.
    """

    prompts: Prompts
    images: Float[Tensor, "b 3 h w"]
    before: Float[Tensor, "b 3 h w"]
    drawn: Float[Tensor, "g k 3 h w"]
