"""Which images of a step a process draws, and how many at once.

The prompts of a step make portions, and processes are dealt whole portions. Sums depend on the number of images in
them: a portion is drawn at once, so that its images come out the same to the last bit whoever draws it.
"""

from margrpo.contracts import Processes
from margrpo.errors import ParallelError
from margrpo.records import Prompts

PORTIONS = 4
"""Portions of a step on a CPU unless told otherwise; a GPU would not be kept busy by less than its process's share."""


def dealt(prompts: int, drawn: int | None, *, device: str, processes: Processes) -> list[range]:
    """The prompts of each portion that this process draws, as evenly as they go; `ParallelError` if there are too few.

    `drawn` is how many prompts make a portion.
    """
    count = processes.count
    size = drawn or (max(1, prompts // PORTIONS) if device == "cpu" else -(-prompts // count))
    every = [range(start, min(start + size, prompts)) for start in range(0, prompts, size)]
    if len(every) < count:
        raise ParallelError(
            f"prompts.prompts = {prompts}, drawn {size} at a time, make {len(every)} portions, and {count} processes "
            "draw one each at least; raise prompts.prompts, lower run.drawn, or start fewer processes"
        )
    first, last = (len(every) * place // count for place in (processes.rank, processes.rank + 1))
    return every[first:last]


def images(prompts: Prompts, some: range, group: int) -> Prompts:
    """The images of some prompts of a step."""
    return prompts.part(slice(some.start * group, some.stop * group))
