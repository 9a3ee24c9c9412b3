"""The rollout: prompts, the order and number of tokens, the reverse diffusion, guidance, and what is kept."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float

from margrpo.lazy import Generator, Tensor
from margrpo.maths.path import Path
from margrpo.records import Gaussian, Prediction, Prompt, Prompts


@runtime_checkable
class PromptSource(Protocol):
    """Where prompts come from (recipe table `prompts`)."""

    prompts: int
    group: int

    def require(self) -> None:
        """Raise `DataError` where the prompts cannot be read; imports no torch, since it is part of the check."""
        ...

    def draw(self, step: int, seed: int) -> Prompts:
        """The prompts of one training step, each repeated `group` times; a pure function of (step, seed)."""
        ...

    def held_out(self) -> Prompts:
        """Prompts that are never drawn for training, one image each."""
        ...


@runtime_checkable
class NamesClasses(Protocol):
    """What a source of prompts may do besides: name classes, for policies that are conditioned on labels."""

    def labels(self) -> Sequence[int]:
        """Every label that is drawn or held out."""
        ...

    def of_class(self, which: int | str) -> Prompt:
        """The prompt of a class by label or name; `DataError` if there is none such."""
        ...


@runtime_checkable
class Unmasking(Protocol):
    """How many tokens are known after each AR step."""

    steps: int

    def counts(self, tokens: int) -> tuple[int, ...]:
        """Unknown tokens before each of the s steps and after the last: n = m_0 > m_1 > … > m_s = 0."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """The reverse diffusion of the head."""

    steps: int

    @property
    def path(self) -> Path:
        """The forward process whose reverse it is; it must be that of the head's parameterization."""
        ...

    def has_density(self, t: int) -> bool:
        """Whether transition t has a log-density that can be trained on."""
        ...

    def draws_noise(self, t: int) -> bool:
        """Whether noise is added when transition t is taken."""
        ...

    def time(self, t: int) -> float:
        """The time that the head is told at transition t."""
        ...

    def alpha_bar(self, t: int) -> float:
        """The signal's share of the variance of x_t."""
        ...

    def nominal_std(self, t: int) -> float:
        """The std of transition t as far as it is known before any token is drawn."""
        ...

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t; where there is no density, std is 0."""
        ...


@runtime_checkable
class NamesNoise(Protocol):
    """What a sampler may have besides: which of its settings draws noise."""

    def remedy(self) -> str:
        """What to set where no transition has a density, as the end of a sentence: `set sampler.eta above 0`."""
        ...


@runtime_checkable
class Guidance(Protocol):
    """The scale w of classifier-free guidance, ε = ε_∅ + w (ε_z − ε_∅), in the rollout."""

    def scale(self, tokens: int, remaining: int) -> float:
        """The scale of an AR step after which `remaining` of `tokens` are unknown; 1 needs no second pass."""
        ...


@runtime_checkable
class Timesteps(Protocol):
    """Which AR steps and transitions of a rollout are trained on."""

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Kept AR steps, ascending, and kept transitions, descending as they are taken.

        Where fewer are offered than it would keep, all of them are kept.
        """
        ...

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """How many AR steps and transitions it asks for where `ar_steps` and `transitions` are offered.

        `draw` keeps no more, and each AR step as likely as another. A recipe that offers fewer is refused.
        """
        ...
