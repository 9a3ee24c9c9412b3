"""Calls with a time limit."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def with_deadline(timeout: float | None, work: Callable[[], T]) -> T:
    """The result of `work`, without gradients; `TimeoutError` after `timeout` seconds.

    Work that takes too long cannot be ended: its thread goes on until the process ends.
    """
    if timeout is None:
        with torch.no_grad():
            return work()
    results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    Thread(target=_run, args=(work, results, _device()), daemon=True).start()
    try:
        found, error = results.get(timeout=timeout)
    except Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return found


def _device() -> int | None:
    return torch.cuda.current_device() if torch.cuda.is_available() else None


@torch.no_grad()
def _run(work: Callable[[], Any], results: "SimpleQueue[tuple[Any, BaseException | None]]", device: int | None) -> None:
    if device is not None:
        torch.cuda.set_device(device)  # the current one is a thread's own
    try:
        results.put((work(), None))
    except BaseException as error:
        results.put((None, error))
