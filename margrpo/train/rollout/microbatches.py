"""The microbatches of a step: which prompts a process draws, and how many at once.

The prompts of a step are split into microbatches, and each process draws some of the microbatches. Sums depend on the
number of images in them. A microbatch is drawn at once, so that its images are equal to the last bit on any process.
"""

from margrpo.contracts import Processes
from margrpo.errors import ParallelError
from margrpo.records import Prompts

MICROBATCHES = 4
"""Default number of microbatches of a step on a CPU; a GPU draws all prompts of its process at once."""


def dealt(prompts: int, rollout_batch: int | None, *, device: str, processes: Processes) -> list[range]:
    """The prompts of each microbatch that this process draws; `ParallelError` if there are more processes.

    `rollout_batch` is the number of prompts in a microbatch; None chooses it by the device.
    """
    count = processes.world_size
    size = rollout_batch or (max(1, prompts // MICROBATCHES) if device == "cpu" else -(-prompts // count))
    every = [range(start, min(start + size, prompts)) for start in range(0, prompts, size)]
    if len(every) < count:
        raise ParallelError(
            f"prompts.prompts = {prompts}, {size} in a microbatch, make {len(every)} microbatches, fewer than the "
            f"{count} processes; raise prompts.prompts, lower run.rollout_batch, or start fewer processes"
        )
    first, last = (len(every) * place // count for place in (processes.rank, processes.rank + 1))
    return every[first:last]


def images(prompts: Prompts, some: range, group: int) -> Prompts:
    """The images of the prompts `some` of a step."""
    return prompts.part(slice(some.start * group, some.stop * group))
