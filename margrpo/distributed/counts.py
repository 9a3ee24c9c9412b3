"""Counts that are summed over the processes of a run."""

import torch

from margrpo.contracts import Processes


def all_reduce_counts(processes: Processes, *counts: int) -> list[int]:
    """The sum of each count over all processes. *Collective*: every rank passes equally many counts."""
    return processes.all_reduce(torch.tensor(counts)).tolist()
