import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from margrpo.distributed.rendezvous import rendezvous
from margrpo.errors import ParallelError


def attempt(store: dist.Store, count: int, delays: list[float]) -> list[dist.Store]:
    def process(rank: int) -> dist.Store:
        time.sleep(delays[rank])
        return rendezvous(store, rank, count, 10.0)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(process, range(count)))


@pytest.mark.parametrize("seed", range(6))
def test_each_attempt_has_a_part_of_the_store_to_itself_whoever_comes_first(seed: int):
    store, drawn = dist.HashStore(), random.Random(seed)
    for number in range(3):
        parts = attempt(store, 3, [drawn.choice((0.0, 0.1)) for _ in range(3)])
        assert not any(part.check(["address"]) for part in parts)  # what the attempt before has written is not seen
        parts[0].set("address", str(number))
        assert [part.get("address").decode() for part in parts] == [str(number)] * 3


def test_an_answer_to_an_earlier_attempt_is_not_taken_for_this_one():
    store = dist.HashStore()
    attempt(store, 2, [0.0, 0.0])
    with pytest.raises(
        ParallelError, match=r"process 0 did not answer process 1 within 0\.3 s; start all processes with torchrun"
    ):
        rendezvous(store, 1, 2, 0.3)


def test_the_first_process_names_those_that_do_not_come():
    store = dist.HashStore()
    attempt(store, 4, [0.0] * 4)
    second = threading.Thread(target=rendezvous, args=(store, 2, 4, 5.0))
    second.start()
    with pytest.raises(ParallelError, match=r"processes 1, 3 of 4 did not answer process 0 within 0\.3 s"):
        rendezvous(store, 0, 4, 0.3)
    second.join()
