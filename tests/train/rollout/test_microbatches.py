import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.distributed.single import SingleProcess
from margrpo.errors import ParallelError
from margrpo.testing import small
from margrpo.train.rollout.microbatches import dealt, images


def process(rank: int, count: int) -> SingleProcess:
    one = SingleProcess()
    one.rank, one.world_size = rank, count
    return one


@given(st.integers(1, 40), st.integers(1, 8) | st.none(), st.integers(1, 6))
def test_every_prompt_is_drawn_once_in_microbatches_that_no_number_of_processes_changes(
    prompts: int, drawn: int | None, count: int
) -> None:
    alone = dealt(prompts, drawn, device="cpu", processes=process(0, 1))
    assert [place for microbatch in alone for place in microbatch] == list(range(prompts))
    if len(alone) < count:
        with pytest.raises(ParallelError, match=rf"make {len(alone)} microbatches, fewer than the {count} processes"):
            dealt(prompts, drawn, device="cpu", processes=process(0, count))
        return
    shares = [dealt(prompts, drawn, device="cpu", processes=process(rank, count)) for rank in range(count)]
    assert [microbatch for share in shares for microbatch in share] == alone
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_gpu_draws_its_share_at_once() -> None:
    shares = [dealt(8, None, device="cuda:0", processes=process(rank, 3)) for rank in range(3)]
    assert shares == [[range(3)], [range(3, 6)], [range(6, 8)]]


def test_the_images_of_a_portion_are_those_of_whole_groups() -> None:
    some = images(small.prompts(3, group=2), range(1, 3), 2)
    assert some.group.tolist() == [1, 1, 2, 2]
