"""The environment that torch reads before it is loaded: threads, and the log of its profiler."""

import os

MOST = 4
"""Threads at most. A model trained on a CPU is small, and so are its tensors: more threads would wait for one another.
A container also tends to show more cores than it may use."""


def wait_passively() -> None:
    """Let idle threads sleep unless OMP_WAIT_POLICY says otherwise; torch reads it when it is loaded.

    Two threads that spin while they wait were measured, on two cores that other work shared, to stretch steps of
    3 seconds to minutes.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def settle_threads() -> int:
    """Limit torch to a few threads, unless OMP_NUM_THREADS is set; the number of threads in use."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else MOST))
    return torch.get_num_threads()


def hush_profiler() -> None:
    """Silence the log of torch's profiler, which counts memory; torch reads the setting when it is imported."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
