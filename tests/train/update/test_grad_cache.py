import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.train.update.grad_cache import GradCache


@settings(derandomize=True, deadline=None, max_examples=40)
@given(size=st.integers(1, 5), data=st.data())
def test_what_flows_through_a_cut_is_what_would_have_flowed_without_it(size: int, data: st.DataObject):
    count = st.integers(0, size - 1)
    chunks = data.draw(st.lists(st.lists(count, min_size=1, max_size=size, unique=True), min_size=1, max_size=4))
    weight = torch.randn(size, 3, generator=torch.Generator().manual_seed(size), requires_grad=True)
    gradients = []
    for cutting in (False, True):
        weight.grad = None
        whole = weight**2
        cache = GradCache(whole)
        for place, rows in enumerate(map(torch.tensor, chunks)):
            leaves = cache.leaves(rows)
            ((place + 1) * (leaves[0] if cutting else whole[rows]) ** 2).sum().backward(retain_graph=not cutting)
            cache.add(rows, leaves)
        cache.backward()
        gradients.append(weight.grad)
    assert torch.allclose(*gradients)


def test_nothing_flows_where_nothing_was_added_or_nothing_is_trained():
    trained, frozen = torch.ones(2, 1, requires_grad=True), torch.ones(2, 1)
    cache = GradCache(trained * 2, frozen)
    cache.backward()
    assert trained.grad is None
    rows = torch.tensor([1])
    leaves = cache.leaves(rows)
    assert [leaf.requires_grad for leaf in leaves] == [True, False]
    (leaves[0] * leaves[1]).sum().backward()
    cache.add(rows, leaves)
    cache.backward()
    assert trained.grad.tolist() == [[0.0], [2.0]]
