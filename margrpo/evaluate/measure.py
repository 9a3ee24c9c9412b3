"""Measurement of seconds, floating-point operations and bytes on this machine."""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from margrpo.declare import record
from margrpo.train.timer import Timer

SIDE = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the square matrices whose product is the machine's peak."""
PRODUCTS = 5


def cpu_attention(query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any) -> int:
    """FLOPs of attention on a CPU, which torch's counter leaves out."""
    return sdpa_flop_count(query, key, value)


def cpu_attention_backward(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any
) -> int:
    """FLOPs of the backward pass of attention on a CPU."""
    return sdpa_backward_flop_count(grad, query, key, value)


ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: cpu_attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: cpu_attention_backward,
}


class FlopMeter(Timer):
    """A timer that counts FLOPs instead of seconds."""

    def __init__(self, device: str):
        self.counter = FlopCounterMode(display=False, custom_mapping=ATTENTION)
        self.counted = 0
        super().__init__(device)

    def lap(self, part: str) -> None:
        """End `part`, and begin the next one."""
        total = self.counter.get_total_flops()
        self.add(part, total - self.counted)
        self.counted = total


@record
class Cost:
    """The cost of a piece of work: median seconds, FLOPs in all and by part, and peak bytes."""

    seconds: float
    flops: float
    parts: dict[str, tuple[float, float]]
    peak_bytes: int


def cost(
    *works: Callable[[Timer], object],
    device: str,
    repeats: int,
    forget: Callable[[], None] = lambda: None,
    progress: Callable[[str], None] = lambda sentence: None,
) -> list[Cost]:
    """The cost of each of `works`, which take turns, so that other load on the machine falls on all of them.

    `forget` drops the leftovers of a run, so that their memory does not count in the next run.
    """
    progress("counting operations")
    flops = [flops_of(work, device) for work in works]  # and warmed up by it
    seconds: list[list[Timer]] = [[] for _ in works]
    for run in range(repeats):
        progress(f"timed run {run + 1} of {repeats}")
        for work, meters in zip(works, seconds, strict=True):
            meters.append(timed(work, device))
    progress("counting bytes")
    found = []
    for work, counted, meters in zip(works, flops, seconds, strict=True):
        parts = {
            part: (statistics.median(timer.seconds.get(part, 0.0) for timer in meters), number)
            for part, number in counted.items()
        }
        total = statistics.median(sum(timer.seconds.values()) for timer in meters)
        forget()
        found.append(Cost(total, sum(counted.values()), parts, peak_bytes(partial(work, Timer(device)), device)))
    return found


def timed(work: Callable[[Timer], object], device: str) -> Timer:
    """The seconds of each part of `work`."""
    timer = Timer(device)
    work(timer)
    timer.lap("rest")
    return timer


def flops_of(work: Callable[[Timer], object], device: str) -> dict[str, float]:
    """The FLOPs of each part of `work`; a multiplication and an addition are two."""
    timer = FlopMeter(device)
    with timer.counter:
        work(timer)
    timer.lap("rest")
    return timer.seconds


def peak_bytes(work: Callable[[], object], device: str) -> int:
    """The peak bytes that torch held during `work`, beyond those it held before."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = profiled.profiler.kineto_results.events()
    now = most = 0
    for _, change in sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"):
        now += change
        most = max(most, now)
    return most


def matmul_peak(device: str, dtype: torch.dtype = torch.float32) -> float:
    """FLOPs per second of the fastest of a few large matrix products in `dtype`."""
    side = SIDE.get(torch.device(device).type, SIDE["cpu"])
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(PRODUCTS):
        timer = Timer(device)
        a @ b
        timer.lap("product")
        best = min(best, timer.seconds["product"])
    return 2 * side**3 / best
