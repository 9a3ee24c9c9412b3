import math

import torch

from margrpo.evaluate.measure import cost, flops_of, matmul_peak, peak_bytes, timed
from margrpo.train.timer import NO_TIMER, Timer


def test_operations_of_products_and_of_attention_are_counted_forwards_and_backwards():
    a, q = torch.randn(5, 7, requires_grad=True), torch.randn(2, 3, 6, 8, requires_grad=True)

    def work(timer: Timer) -> None:
        product = a @ torch.ones(7, 4)
        timer.lap("product")
        seen = torch.nn.functional.scaled_dot_product_attention(q, q, q)
        timer.lap("attention")
        product.sum().backward()
        seen.sum().backward()

    found = flops_of(work, "cpu")
    assert found["product"] == 2 * 5 * 7 * 4
    assert found["attention"] == 2 * 3 * (4 * 6 * 6 * 8)
    # The product's gradient by one factor, and five products of attention's backward pass, of which one is made again.
    assert found["rest"] == 2 * 5 * 7 * 4 + 2 * 3 * (10 * 6 * 6 * 8)


def test_the_peak_is_the_most_that_is_held_at_once():
    def work() -> None:
        one = torch.empty(1000)
        two = torch.empty(500)
        del one
        _ = two, torch.empty(400)

    assert peak_bytes(work, "cpu") == 4000 + 2000


def test_seconds_of_parts_add_up_and_what_comes_before_a_start_is_left_out():
    def work(timer: Timer) -> None:
        for _ in range(3):
            timer.lap("part")

    timer = timed(work, "cpu")
    assert set(timer.seconds) == {"part", "rest"}
    assert all(seconds >= 0 for seconds in timer.seconds.values())
    NO_TIMER.lap("anything")
    assert NO_TIMER.seconds == {}


def test_works_take_turns_and_each_is_counted_once_for_operations_and_once_for_bytes():
    order: list[str] = []

    def named(name: str) -> object:
        return lambda timer: order.append(name)

    found = cost(named("a"), named("b"), device="cpu", repeats=2)
    assert "".join(order) == "ab" + "abab" + "ab"
    assert [each.flops for each in found] == [0, 0]


def test_the_peak_of_the_machine_is_a_rate(small_products: None):
    assert 0 < matmul_peak("cpu") < math.inf
