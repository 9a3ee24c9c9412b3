"""The rendezvous of processes that were started together, in a store that holds keys of earlier attempts.

torchrun keeps one store over elastic restarts. A process could read the address that a process of an earlier attempt
has written there, before the new process writes its own. A number of the attempt does not help: the agents of several
machines count restarts on their own.
"""

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch.distributed as dist

from margrpo.errors import ParallelError

PAUSE = 0.02
"""Seconds between two reads of the store."""


def rendezvous(store: Any, rank: int, count: int, timeout: float) -> Any:
    """A part of the store that only the processes of this attempt use; `ParallelError` if a process is missing.

    Every process publishes a random word. Rank 0 answers under this word, so that an answer to an earlier attempt is
    never read. Rank 0 goes on until every process has confirmed its answer.
    """
    attempt = host(store, count, timeout) if rank == 0 else join(store, rank, timeout)
    return dist.PrefixStore(attempt, store)


def join(store: Any, rank: int, timeout: float) -> str:
    """The attempt's name, for a rank above 0."""
    word = uuid4().hex
    store.set(f"here/{rank}", word)
    try:
        store.wait([f"answer/{word}"], timedelta(seconds=timeout))
    except RuntimeError:
        raise ParallelError(f"process 0 did not answer process {rank} within {timeout:g} s; {ADVICE}") from None
    attempt: str = store.get(f"answer/{word}").decode()
    store.set(f"{attempt}/confirmed/{rank}", "")
    return attempt


def host(store: Any, count: int, timeout: float) -> str:
    """The attempt's name, for rank 0, once all other ranks have confirmed it."""
    attempt, ends = f"attempt/{uuid4().hex}", time.monotonic() + timeout
    while missing := [rank for rank in range(1, count) if not store.check([f"{attempt}/confirmed/{rank}"])]:
        if time.monotonic() > ends:
            raise ParallelError(f"{named(missing)} of {count} did not answer process 0 within {timeout:g} s; {ADVICE}")
        for rank in missing:
            if store.check([f"here/{rank}"]):
                store.set(f"answer/{store.get(f'here/{rank}').decode()}", attempt)
        time.sleep(PAUSE)
    return attempt


ADVICE = "start all processes with torchrun, and read the output of each"


def named(ranks: list[int]) -> str:
    """The processes of these `ranks` in words."""
    return f"process {ranks[0]}" if len(ranks) == 1 else f"processes {', '.join(map(str, ranks))}"
