"""The score of a classifier of handwritten digits as a reward."""

import math
from typing import Any

from einops import repeat
from jaxtyping import Float

from margrpo.contracts import OnFailure, Scorer
from margrpo.declare import Check, component, one_of, setting
from margrpo.errors import DataError
from margrpo.lazy import Tensor, torch
from margrpo.records import Case, Prompt, Prompts, Traits

below_zero = Check(lambda value: value < 0, "less than 0", {"exclusiveMaximum": 0})


@component
class Digits:
    """Log-probability or accuracy of a classifier for the digit that the prompt's label names.

    The policy and the two classifiers learn from three disjoint sets of digits. "reward" is a logistic regression to
    train with. "judge" votes among the five nearest digits and shows whether training drew digits or only pleased
    "reward".
    """

    classifier: str = setting("reward", "classifier to ask", check=one_of("reward", "judge"))
    by: str = setting(
        "log_probability",
        'log-probability of the label in nats, or "accuracy": 1 if the label is the first guess, else 0',
        check=one_of("log_probability", "accuracy"),
    )
    floor: float = setting(-10.0, "lower bound of the log-probability, in nats", check=below_zero)
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    @property
    def traits(self) -> Traits:
        """Traits with the range of the score: a share, or nats from `floor` to 0."""
        return (
            Traits(low=0.0, high=1.0, reads=("label",))
            if self.by == "accuracy"
            else Traits(low=self.floor, high=0.0, reads=("label",))
        )

    def build(self, device: str) -> Scorer:
        """The reward itself, since it has no networks to load."""
        return self

    def problems(self) -> list[str]:
        """A sentence if scikit-learn is missing."""
        from margrpo.worlds import digits

        return digits.problems()

    def cases(self) -> list[Case]:
        """Cases of a handwritten three: with its own label and with another label."""
        from margrpo.worlds import digits

        known = digits.part("generator")
        grey = torch.from_numpy(known.images[known.labels == 3][0]).float()
        three = repeat(grey, "(h w) -> c h w", c=3, h=digits.SIDE)
        sure, floor = (0.5, 0.0) if self.by == "accuracy" else (-0.7, self.floor)
        return [
            Case("a three that should be one", three, Prompt("three", 3), sure, self.traits.high),
            Case("a three that should be an eight", three, Prompt("eight", 8), floor, sure),
        ]

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The score of each image; a label that is not a digit, or an image of another size, raises `DataError`."""
        from margrpo.worlds import digits

        _refuse(images, prompts, digits.SIDE)
        grey = images.detach().cpu().double().mean(1).flatten(1).numpy()
        return self.opinion(torch.from_numpy(digits.classified(grey, self.classifier)), prompts.label).to(images.device)

    def opinion(self, probability: Float[Tensor, "b 10"], label: Any) -> Float[Tensor, "b"]:
        """The score of the label from the probabilities of all digits."""
        wanted = label.cpu()[:, None]
        if self.by == "accuracy":
            return (probability.argmax(1, keepdim=True) == wanted).squeeze(1).float()
        return probability.gather(1, wanted).squeeze(1).clamp(min=math.exp(self.floor)).log().float()


def _refuse(images: Float[Tensor, "b 3 h w"], prompts: Prompts, side: int) -> None:
    """Raise `DataError` if images are not of the size of digits, or a label is not a digit."""
    height, width = images.shape[-2:]
    if (height, width) != (side, side):
        raise DataError(
            f"reward digits: the images are {height} × {width} pixels, but its classifiers know digits of "
            f"{side} × {side}; set codec.image = {side}, or choose another reward."
        )
    wrong = [at for at, label in enumerate(prompts.label.tolist()) if not 0 <= label <= 9]
    if wrong:
        label, text = int(prompts.label[wrong[0]]), prompts.text[wrong[0]]
        raise DataError(
            f"reward digits: prompt {text!r} has label {label}, which is not a digit; give it one from 0 to 9."
        )
