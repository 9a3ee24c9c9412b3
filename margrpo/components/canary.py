"""Canaries: measures of drift that show a policy that games its reward, and are never part of the loss."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from jaxtyping import Float

from margrpo.contracts import Monitor, Reward
from margrpo.declare import component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import pixels
from margrpo.records import CanaryInputs

WARN, STOP = "drift above which the run logs a warning", "drift above which the run ends; default: never"


def gap(now: Float[Tensor, "b"], before: Float[Tensor, "b"]) -> float:
    """The absolute difference of the means."""
    return float((now.mean() - before.mean()).abs())


@component
class Edges:
    """Drift of the share of pixels at an edge, as |ln(now / before)|: shows blur, noise, emptiness."""

    warn: float | None = setting(0.5, f"{WARN}; |ln| of a ratio", check=positive)
    stop: float | None = setting(None, f"{STOP}; |ln| of a ratio", check=positive)

    def build(self, device: str) -> Monitor:
        """The canary itself, since it has no networks to load."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """|ln| of the ratio of the mean edge densities; a pixel in 10,000 is added to both."""
        now, before = (pixels.edge_density(x).mean() + 1e-4 for x in (inputs.images, inputs.before))
        return float((now / before).log().abs())


@component
class Colours:
    """Drift of the entropy of colours, in bits: shows one flat colour, or too many."""

    warn: float | None = setting(0.5, f"{WARN}; bits", check=positive)
    stop: float | None = setting(None, f"{STOP}; bits", check=positive)

    def build(self, device: str) -> Monitor:
        """The canary itself, since it has no networks to load."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The absolute difference of the means."""
        return gap(pixels.colour_entropy(inputs.images), pixels.colour_entropy(inputs.before))


@component
class Dark:
    """Drift of the share of dark pixels."""

    warn: float | None = setting(0.25, f"{WARN}; share", check=positive)
    stop: float | None = setting(None, f"{STOP}; share", check=positive)

    def build(self, device: str) -> Monitor:
        """The canary itself, since it has no networks to load."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The absolute difference of the means."""
        return gap(pixels.dark_share(inputs.images), pixels.dark_share(inputs.before))


@component
class Distance:
    """Mean distance of pixel values from the untrained policy's images of equal prompts and noise."""

    warn: float | None = setting(0.3, f"{WARN}; values in [0, 1]", check=positive)
    stop: float | None = setting(None, f"{STOP}; values in [0, 1]", check=positive)

    def build(self, device: str) -> Monitor:
        """The canary itself, since it has no networks to load."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The mean distance over the images."""
        return float(pixels.distance(inputs.images, inputs.before).mean())


@component
class Duplicates:
    """The share of pairs of a prompt's images in the step that are nearly equal: shows collapse."""

    warn: float | None = setting(0.5, f"{WARN}; share of pairs", check=positive)
    stop: float | None = setting(None, f"{STOP}; share of pairs", check=positive)

    def build(self, device: str) -> Monitor:
        """The canary itself, since it has no networks to load."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The mean share over the prompts."""
        return float(pixels.duplicate_share(inputs.drawn).mean())


@component
class HeldOutReward:
    """The fall of a reward that is not part of the loss, in standard deviations of its scores before training.

    If all scores before training are equal, the unit is a hundredth of the reward's range, or of the mean score if the
    range has no end.
    """

    of: Reward = setting(meaning="the reward")
    warn: float | None = setting(1.0, f"{WARN}; standard deviations", check=positive)
    stop: float | None = setting(None, f"{STOP}; standard deviations", check=positive)

    def build(self, device: str) -> "Judged":
        """Load the reward."""
        return Judged(self.of, device)


class Judged:
    """The monitor of a held-out reward, with its scores before training."""

    def __init__(self, reward: Reward, device: str):
        self.traits, self.scorer = reward.traits, reward.build(device)
        self.known: tuple[tuple[str, ...], float, float] | None = None

    def drift(self, inputs: CanaryInputs) -> float:
        """The fall of the mean score, divided by `unit`; 0 if the mean has risen."""
        mean, std = self.untrained(inputs)
        now = float(self.scorer.score(inputs.images, inputs.prompts).mean())
        fall = mean - now
        return 0.0 if fall <= 0 else fall / self.unit(mean, std)

    def untrained(self, inputs: CanaryInputs) -> tuple[float, float]:
        """Mean and std of the scores before training; a resumed run restores them instead of scoring again."""
        if self.known is None or self.known[0] != inputs.prompts.text:
            before = self.scorer.score(inputs.before, inputs.prompts)
            self.known = inputs.prompts.text, float(before.mean()), float(before.std(unbiased=False))
        return self.known[1:]

    def run_state(self) -> Mapping[str, Any]:
        """The prompts, with mean and std of their scores before training."""
        return {"known": self.known}

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        """Restore the prompts with mean and std of their scores."""
        self.known = state["known"]

    def unit(self, mean: float, std: float) -> float:
        """The std, or a hundredth of range or mean if all scores before training are equal up to rounding."""
        span = self.traits.high - self.traits.low
        least = max(0.01 * (span if isfinite(span) else abs(mean)), 1e-6)
        return std if std > 1e-3 * least else least
