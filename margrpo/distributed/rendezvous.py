"""How processes that were started together find one another in a store in which earlier attempts have left their keys.

torchrun keeps one store over elastic restarts, and what a process of an attempt before has written there, such as the
address at which it listened, would be taken for that of its successor by whoever reads before that has written. Nor
does a number of the attempt tell them apart: agents of several machines count restarts on their own.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch.distributed as dist

from margrpo.errors import ParallelError

PAUSE = 0.02
"""Seconds between two looks at the store."""


def rendezvous(store: Any, rank: int, count: int, timeout: float) -> Any:
    """A part of the store that only the processes of this attempt use; `ParallelError` where some do not come.

    Every process shows a word that nobody has used before. The first one answers under that word, so that an answer
    to an earlier attempt is never read, and goes on answering until each has confirmed.
    """
    attempt = host(store, count, timeout) if rank == 0 else join(store, rank, timeout)
    return dist.PrefixStore(attempt, store)


def join(store: Any, rank: int, timeout: float) -> str:
    """The attempt's name, for a process that is not the first."""
    word = uuid4().hex
    store.set(f"here/{rank}", word)
    try:
        store.wait([f"answer/{word}"], timedelta(seconds=timeout))
    except RuntimeError:
        raise ParallelError(f"process {rank} waited {timeout:g} s in vain for process 0; {LOOK}") from None
    attempt: str = store.get(f"answer/{word}").decode()
    store.set(f"{attempt}/confirmed/{rank}", "")
    return attempt


def host(store: Any, count: int, timeout: float) -> str:
    """The attempt's name, for the first process, once all others have it."""
    attempt, ends = f"attempt/{uuid4().hex}", time.monotonic() + timeout
    while missing := [rank for rank in range(1, count) if not store.check([f"{attempt}/confirmed/{rank}"])]:
        if time.monotonic() > ends:
            raise ParallelError(f"process 0 waited {timeout:g} s in vain for {named(missing)} of {count}; {LOOK}")
        for rank in missing:
            if store.check([f"here/{rank}"]):
                store.set(f"answer/{store.get(f'here/{rank}').decode()}", attempt)
        time.sleep(PAUSE)
    return attempt


LOOK = "start them with torchrun, and look at what they said"


def named(ranks: list[int]) -> str:
    """Processes by their numbers."""
    return f"process {ranks[0]}" if len(ranks) == 1 else f"processes {', '.join(map(str, ranks))}"
