"""The run: its processes, what components remember, what it is measured by, and where figures go."""

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
    """Optional for any component, and for any object that a component builds: state that outlives the process.

    State is made of tensors, numbers, strings, None, lists, tuples and mappings. Weights are not run state.
    """

    def run_state(self) -> Mapping[str, Any]:
        """Return the state for a checkpoint; called after the figures of a step have been written."""
        ...

    def load_run_state(self, state: Mapping[str, Any]) -> None:
        """Replace the state by that of a checkpoint; called before the first step of a resumed run."""
        ...


@runtime_checkable
class HasRequirements(Protocol):
    """Optional for any component: files and packages that it needs. Each nested component is asked by itself."""

    def require(self) -> None:
        """Raise a `MargrpoError` where a file or package is missing; called before weights are loaded."""
        ...


@runtime_checkable
class Parallel(Protocol):
    """Over how many processes a run is spread, and how they share the model.

    `moves_weights` says whether weights lie somewhere else after a step than before it.
    """

    moves_weights: bool

    def require(self, processes: int) -> None:
        """Raise `ParallelError` where it cannot serve so many processes; imports no torch."""
        ...

    def join(self, device: str) -> "Processes":
        """Meet the other processes."""
        ...


@runtime_checkable
class Processes(Protocol):
    """The processes of a run as one of them sees them; what is said of all must be called by all, in one order."""

    rank: int
    world_size: int

    def wrap(self, model: Model) -> None:
        """Hold the model's weights as they are held; before its optimizer is built. All."""
        ...

    def enter(self, phase: str) -> None:
        """Tell the others what this process does now, for the case that it is never heard of again."""
        ...

    def all_gather(self, x: Tensor) -> Tensor:
        """A tensor of each process, equal in shape and small, along a new first axis. All."""
        ...

    def all_reduce(self, x: Tensor) -> Tensor:
        """The sum of a small tensor over the processes, the same to the last bit on each. All."""
        ...

    def sum_gradients(self) -> None:
        """Sum the gradients of the trained parameters; weights need not be whole afterwards. All."""
        ...

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """The norm of the summed gradients, scaled down to the largest that is allowed. All."""
        ...

    def unshard(self) -> None:
        """Have every weight of the model on this process, as before the gradients were summed. All."""
        ...

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """What the optimizer remembers, by the names of parameters, whole on the first process. All."""
        ...

    def restore_optimizer(self, optimizer: Any, state: dict[str, Any]) -> None:
        """Take up what any number of processes have saved. All."""
        ...

    def close(self) -> None:
        """Leave the process group."""
        ...


@runtime_checkable
class Suite(Protocol):
    """What a policy is evaluated on: prompts in categories, and what scores the pictures."""

    def require(self) -> None:
        """Raise a `MargrpoError` where a file or package is missing; imports no torch."""
        ...

    def prompts(self) -> Sequence[Prompt]:
        """The prompts, always the same."""
        ...

    def category(self, prompt: Prompt) -> str:
        """The category of one of them."""
        ...

    def rewards(self) -> Sequence[Reward | Mapping[str, Any]]:
        """What scores the pictures: rewards, or their tables as a recipe has them."""
        ...


@runtime_checkable
class Canary(Protocol):
    """A number that nothing is trained on, from 0: how far the images have strayed from those before training.

    Beyond `warn` it is told at a look, beyond `stop` the run ends; None is never.
    """

    warn: float | None
    stop: float | None

    def build(self, device: str) -> "Monitor":
        """Make what measures, with its networks on a device."""
        ...


@runtime_checkable
class Monitor(Protocol):
    """The built canary."""

    def drift(self, inputs: CanaryInputs) -> float:
        """How far the images have strayed; the same for the same."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Where figures go."""

    def open(self, folder: Any, title: str, steps: int, start: int) -> "OpenTracker":
        """Begin to track a run that goes from step `start` to `steps`, in its folder."""
        ...


@runtime_checkable
class OpenTracker(Protocol):
    """The opened tracker."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of one step."""
        ...

    def say(self, sentence: str) -> None:
        """Take a sentence for the person who watches."""
        ...

    def close(self) -> None:
        """Flush and end."""
        ...


@runtime_checkable
class TakesImages(Protocol):
    """What an opened tracker may do besides: take pictures."""

    def log_image(self, step: int, name: str, file: Any) -> None:
        """Take a PNG that was written when so many steps were done; those of one name are of one series."""
        ...


@runtime_checkable
class TakesHistograms(Protocol):
    """What an opened tracker may do besides: take distributions."""

    def log_histogram(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Take the values of one step."""
        ...


@runtime_checkable
class Dataset(Protocol):
    """Images with prompts, for pre-training."""

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
        """Batch number `index` of `count` images, a pure function of its arguments."""
        ...
