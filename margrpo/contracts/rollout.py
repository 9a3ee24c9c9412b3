"""Contracts of the rollout: prompts, unmasking, the reverse diffusion, guidance, and recorded transitions."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float

from margrpo.lazy import Generator, Tensor
from margrpo.maths.path import Path
from margrpo.records import Gaussian, Prediction, Prompt, Prompts


@runtime_checkable
class PromptSource(Protocol):
    """A source of prompts (recipe table `prompts`).

    - `prompts`: prompts per training step.
    - `group`: images per prompt.
    """

    prompts: int
    group: int

    def require(self) -> None:
        """Raise `DataError` if the prompts cannot be read. Must not import torch, because `margrpo check` calls it."""
        ...

    def draw(self, step: int, seed: int) -> Prompts:
        """The prompts of a training step, each repeated `group` times; a pure function of `step` and `seed`."""
        ...

    def held_out(self) -> Prompts:
        """Prompts that `draw` never returns, one image each."""
        ...


@runtime_checkable
class NamesClasses(Protocol):
    """An optional part of a source of prompts: names of classes, for policies that are conditioned on labels."""

    def labels(self) -> Sequence[int]:
        """All labels of the source, drawn or held out."""
        ...

    def of_class(self, which: int | str) -> Prompt:
        """The prompt of a class, by label or name; an unknown class raises `DataError`."""
        ...


@runtime_checkable
class Unmasking(Protocol):
    """The schedule of unmasking: the number of tokens that are known after each of `steps` AR steps."""

    steps: int

    def counts(self, tokens: int) -> tuple[int, ...]:
        """The number of unknown tokens before each of s AR steps and after the last: n = m_0 > m_1 > … > m_s = 0."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """The reverse diffusion of the head, in `steps` transitions."""

    steps: int

    @property
    def path(self) -> Path:
        """The forward process that the sampler reverses; it must be the path of the head's parameterization."""
        ...

    def has_density(self, t: int) -> bool:
        """Whether transition `t` has a log-density that can be trained on."""
        ...

    def draws_noise(self, t: int) -> bool:
        """Whether transition `t` adds noise."""
        ...

    def time(self, t: int) -> float:
        """The time that the head is given at transition `t`."""
        ...

    def alpha_bar(self, t: int) -> float:
        """The share of signal in the variance of x_t."""
        ...

    def nominal_std(self, t: int) -> float:
        """The std of transition `t`, estimated without any token."""
        ...

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t = `x`; std is 0 if the transition has no density."""
        ...


@runtime_checkable
class NamesNoise(Protocol):
    """An optional part of a sampler: the setting that makes it draw noise."""

    def remedy(self) -> str:
        """A remedy if no transition has a density, as the end of a sentence: `set sampler.eta above 0`."""
        ...


@runtime_checkable
class NamesKept(Protocol):
    """An optional part of timesteps: the settings that say how many AR steps and transitions are kept."""

    @property
    def kept_settings(self) -> tuple[str, str]:
        """The names of the setting for AR steps and of the setting for transitions."""
        ...


@runtime_checkable
class Guidance(Protocol):
    """The scale w of classifier-free guidance in the rollout, ε = ε_∅ + w (ε_z − ε_∅)."""

    def scale(self, tokens: int, remaining: int) -> float:
        """The scale of the AR step after which `remaining` of `tokens` are unknown; 1 needs no second pass."""
        ...


@runtime_checkable
class Timesteps(Protocol):
    """A choice of the AR steps and transitions of a rollout that are trained on."""

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The kept AR steps in ascending order, and the kept transitions in descending order of t.

        If fewer are offered than the component would keep, all are kept.
        """
        ...

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        """The numbers of AR steps and transitions to keep of `ar_steps` and `transitions` offered ones.

        `draw` keeps at most these numbers, and keeps every AR step with equal probability. A recipe that offers fewer
        is refused.
        """
        ...
