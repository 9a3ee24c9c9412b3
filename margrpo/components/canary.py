"""What falls over first when a policy games its reward: numbers that nothing is trained on."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from jaxtyping import Float

from margrpo.contracts import Monitor, Reward
from margrpo.declare import component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import pixels
from margrpo.records import CanaryInputs

WARN, STOP = "how far it may be before it is told", "how far it may be before the run ends; never unless given"


def gap(now: Float[Tensor, "b"], before: Float[Tensor, "b"]) -> float:
    """How far apart the means are."""
    return float((now.mean() - before.mean()).abs())


@component
class Edges:
    """How the share of pixels at an edge has changed, as |ln(now / before)|: blur, noise, emptiness."""

    warn: float | None = setting(0.5, f"|ln| of the ratio: {WARN}", check=positive)
    stop: float | None = setting(None, f"|ln| of the ratio: {STOP}", check=positive)

    def build(self, device: str) -> Monitor:
        """Nothing is to be loaded."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """|ln| of the ratio of the means; a pixel in 10,000 is added to both."""
        now, before = (pixels.edge_density(x).mean() + 1e-4 for x in (inputs.images, inputs.before))
        return float((now / before).log().abs())


@component
class Colours:
    """How far the entropy of colours has moved, in bits: one flat colour, or too many."""

    warn: float | None = setting(0.5, f"bits: {WARN}", check=positive)
    stop: float | None = setting(None, f"bits: {STOP}", check=positive)

    def build(self, device: str) -> Monitor:
        """Nothing is to be loaded."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The difference of the means."""
        return gap(pixels.colour_entropy(inputs.images), pixels.colour_entropy(inputs.before))


@component
class Dark:
    """How far the share of dark pixels has moved."""

    warn: float | None = setting(0.25, f"share: {WARN}", check=positive)
    stop: float | None = setting(None, f"share: {STOP}", check=positive)

    def build(self, device: str) -> Monitor:
        """Nothing is to be loaded."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The difference of the means."""
        return gap(pixels.dark_share(inputs.images), pixels.dark_share(inputs.before))


@component
class Distance:
    """How far images are from those before training, of the same prompts and noise: the mean gap of their values."""

    warn: float | None = setting(0.3, f"values in [0, 1]: {WARN}", check=positive)
    stop: float | None = setting(None, f"values in [0, 1]: {STOP}", check=positive)

    def build(self, device: str) -> Monitor:
        """Nothing is to be loaded."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The mean over the images."""
        return float(pixels.distance(inputs.images, inputs.before).mean())


@component
class Duplicates:
    """The share of pairs among a prompt's images of the step that are nearly the same: collapse."""

    warn: float | None = setting(0.5, f"share of pairs: {WARN}", check=positive)
    stop: float | None = setting(None, f"share of pairs: {STOP}", check=positive)

    def build(self, device: str) -> Monitor:
        """Nothing is to be loaded."""
        return self

    def drift(self, inputs: CanaryInputs) -> float:
        """The mean over the prompts."""
        return float(pixels.duplicate_share(inputs.drawn).mean())


@component
class HeldOutReward:
    """How far a reward that nothing is trained on has fallen, in its standard deviations before training.

    Where all scores were the same then, a hundredth of its range counts as one, or of the mean where it has none.
    """

    of: Reward = setting(meaning="the reward")
    warn: float | None = setting(1.0, f"standard deviations: {WARN}", check=positive)
    stop: float | None = setting(None, f"standard deviations: {STOP}", check=positive)

    def build(self, device: str) -> "Judged":
        """The reward, loaded."""
        return Judged(self.of, device)


class Judged:
    """A built reward that nothing is trained on, and its scores before training."""

    def __init__(self, reward: Reward, device: str):
        self.traits, self.scorer = reward.traits, reward.build(device)
        self.known: tuple[tuple[str, ...], float, float] | None = None

    def drift(self, inputs: CanaryInputs) -> float:
        """The fall of the mean by the std before; nothing where it has risen."""
        mean, std = self.untrained(inputs)
        now = float(self.scorer.score(inputs.images, inputs.prompts).mean())
        fall = mean - now
        return 0.0 if fall <= 0 else fall / self.unit(mean, std)

    def untrained(self, inputs: CanaryInputs) -> tuple[float, float]:
        """Mean and std of the scores before training; a resumed run does not ask again about the prompts it knows."""
        if self.known is None or self.known[0] != inputs.prompts.text:
            before = self.scorer.score(inputs.before, inputs.prompts)
            self.known = inputs.prompts.text, float(before.mean()), float(before.std(unbiased=False))
        return self.known[1:]

    def run_state(self) -> Mapping[str, Any]:
        """The prompts, and mean and std of their scores before training."""
        return {"known": self.known}

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        """Know what the run knew."""
        self.known = state["known"]

    def unit(self, mean: float, std: float) -> float:
        """The std, or a hundredth of range or mean where all scores before were the same but for rounding."""
        span = self.traits.high - self.traits.low
        least = max(0.01 * (span if isfinite(span) else abs(mean)), 1e-6)
        return std if std > 1e-3 * least else least
