"""What torchrun has told this process about itself; imports no torch."""

import os


def rank() -> int:
    """This process's number among those of the run."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes the run has."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_rank() -> int:
    """This process's number among those of its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def is_first() -> bool:
    """Whether this process speaks and writes for all."""
    return rank() == 0
