"""The variables of torchrun: rank and world size of this process; imports no torch."""

import os


def rank() -> int:
    """The number of this process in the run, from 0."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """The number of processes of the run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """The number of this process on its machine, which is also the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_first() -> bool:
    """Whether the process is rank 0, which writes for all processes."""
    return rank() == 0
