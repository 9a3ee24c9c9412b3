"""Contracts of the run: state, processes, suites, canaries, trackers, datasets."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float

from margrpo.contracts.model import Model
from margrpo.contracts.verdict import Reward
from margrpo.lazy import Parameter, Tensor
from margrpo.records import (
    CanaryInputs,
    Prompt,
    Prompts,
)


@runtime_checkable
class HasRunState(Protocol):
    """An optional part of a component, or of an object that it builds: state that outlives the process.

    State is made of tensors, numbers, strings, None, lists, tuples and mappings. Weights are not run state. A run on
    several processes saves the state of rank 0, and every rank resumes with it.
    """

    def run_state(self) -> Mapping[str, Any]:
        """Return the state for a checkpoint; called after the figures of a step have been written."""
        ...

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint; called before the first step of a resumed run."""
        ...


@runtime_checkable
class HasRequirements(Protocol):
    """An optional part of a component: a check of the files and packages it needs; nested components have their own."""

    def require(self) -> None:
        """Raise a `MargrpoError` if a file or package is missing; called before weights are loaded."""
        ...


@runtime_checkable
class Parallel(Protocol):
    """A way to spread a run over processes.

    - `moves_weights`: whether a step moves weights to other addresses in memory.
    """

    moves_weights: bool

    def require(self, processes: int) -> None:
        """Raise `ParallelError` if the component does not support `processes` processes. Must not import torch."""
        ...

    def join(self, device: str) -> "Processes":
        """Join the process group on `device`. *Collective*."""
        ...


@runtime_checkable
class Processes(Protocol):
    """One rank's view of the process group.

    Methods marked *collective* must be called by every rank in the same order.

    - `rank`: number of this process, from 0.
    - `world_size`: number of processes.
    """

    rank: int
    world_size: int

    def wrap(self, model: Model) -> None:
        """Replicate or shard the model's weights; called before the optimizer is built. *Collective*."""
        ...

    def enter(self, phase: str) -> None:
        """Publish the phase that this process enters, so that other ranks can name it if this process dies."""
        ...

    def all_gather(self, x: Tensor) -> Tensor:
        """The tensors of all ranks along a new first axis; they are small and of equal shape. *Collective*."""
        ...

    def all_reduce(self, x: Tensor) -> Tensor:
        """The sum of a small tensor over all ranks, equal to the last bit on each rank. *Collective*."""
        ...

    def sum_gradients(self) -> None:
        """Sum the gradients of trained parameters over all ranks; weights may be sharded afterwards. *Collective*."""
        ...

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """Scale the summed gradients down to the norm `largest`, and return their norm before. *Collective*."""
        ...

    def unshard(self) -> None:
        """Gather every weight of the model on this rank, undoing what `sum_gradients` left sharded. *Collective*."""
        ...

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """The optimizer's state by the names of parameters, complete on rank 0. *Collective*."""
        ...

    def restore_optimizer(self, optimizer: Any, state: dict[str, Any]) -> None:
        """Restore an optimizer's state that was saved by any number of processes. *Collective*."""
        ...

    def close(self) -> None:
        """Leave the process group."""
        ...


@runtime_checkable
class Suite(Protocol):
    """A benchmark for policies: prompts in categories, and the rewards that score their images."""

    def require(self) -> None:
        """Raise a `MargrpoError` if a file or package is missing. Must not import torch."""
        ...

    def prompts(self) -> Sequence[Prompt]:
        """The prompts of the suite, equal at every call."""
        ...

    def category(self, prompt: Prompt) -> str:
        """The category of `prompt`."""
        ...

    def rewards(self) -> Sequence[Reward | Mapping[str, Any]]:
        """The rewards that score the images, each a component or its table in a recipe."""
        ...


@runtime_checkable
class Canary(Protocol):
    """A measure of how far images have drifted from images of the untrained policy; 0 means unchanged.

    A canary is never part of the loss. It is measured at every validation.

    - `warn`: drift above which the run logs a warning; None disables the limit.
    - `stop`: drift above which the run ends; None disables the limit.
    """

    warn: float | None
    stop: float | None

    def build(self, device: str) -> "Monitor":
        """Make the monitor with its networks on `device`."""
        ...


@runtime_checkable
class Monitor(Protocol):
    """The object that a canary builds."""

    def drift(self, inputs: CanaryInputs) -> float:
        """The drift of the images, 0 or more; a pure function of `inputs`."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """A place that figures are written to."""

    def open(self, folder: Any, title: str, steps: int, start: int) -> "OpenTracker":
        """Begin to track the run in `folder`, which goes from step `start` to `steps`."""
        ...


@runtime_checkable
class OpenTracker(Protocol):
    """The object that a tracker opens for a run."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Write the figures of one step."""
        ...

    def say(self, sentence: str) -> None:
        """Write a sentence for the person who watches the run."""
        ...

    def close(self) -> None:
        """Flush all output and close."""
        ...


@runtime_checkable
class TakesImages(Protocol):
    """An optional part of an opened tracker: pictures."""

    def log_image(self, step: int, name: str, file: Any) -> None:
        """Log the PNG `file`, written after `step` steps; pictures of one `name` form a series."""
        ...


@runtime_checkable
class TakesHistograms(Protocol):
    """An optional part of an opened tracker: distributions."""

    def log_histogram(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Log the distribution of `values` after `step` steps; values of one `name` form a series."""
        ...


@runtime_checkable
class Dataset(Protocol):
    """A source of images with prompts, for pre-training."""

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
        """Batch number `index`, of `count` images with their prompts; a pure function of the arguments."""
        ...
