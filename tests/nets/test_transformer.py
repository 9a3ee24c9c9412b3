import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.attention import Sdpa
from margrpo.nets.transformer import Attention, Block
from margrpo.testing.small import alive
from margrpo.testing.strategies import seeds


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, heads=st.sampled_from((1, 2, 4)))
def test_attention_is_that_of_torch(seed: int, heads: int):
    ours = alive(Attention(8, heads, Sdpa().attention, 0.0), seed)
    theirs = torch.nn.MultiheadAttention(8, heads, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.qkv.weight.data, ours.qkv.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.proj.weight.data, ours.proj.bias.data
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(seed))
    found = ours(x.flatten(0, 1), [5, 5]).unflatten(0, (2, 5))
    assert torch.allclose(found, theirs(x, x, x, need_weights=False)[0], atol=1e-5)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, data=st.data())
def test_a_block_knows_no_order(seed: int, data: st.DataObject):
    block = alive(Block(8, 2, Sdpa().attention, 0.0), seed)
    x = torch.randn(9, 8, generator=torch.Generator().manual_seed(seed))
    order = torch.tensor([*data.draw(st.permutations(range(5))), *data.draw(st.permutations(range(5, 9)))])
    assert torch.allclose(block(x[order], [5, 4]), block(x, [5, 4])[order], atol=1e-5)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_sequences_that_stand_one_after_the_other_do_not_see_each_other(seed: int, lengths: list[int]):
    block = alive(Block(8, 2, Sdpa().attention, 0.0), seed)
    x = torch.randn(sum(lengths), 8, generator=torch.Generator().manual_seed(seed))
    alone = [block(part, [len(part)]) for part in x.split(lengths)]
    assert torch.allclose(block(x, lengths), torch.cat(alone), atol=1e-5)


def test_dropout_acts_in_training_only():
    block, x = alive(Block(8, 2, Sdpa().attention, 0.5)), torch.ones(3, 8)
    with torch.random.fork_rng():
        assert not torch.equal(block.train()(x, [3]), block(x, [3]))
    assert torch.equal(block.eval()(x, [3]), block(x, [3]))


def test_dropout_acts_on_attention_weights_after_attention_and_twice_in_the_mlp():
    told: list[float] = []

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, lengths: list[int], dropout: float) -> torch.Tensor:
        told.append(dropout)
        return v

    block, x, calls = Block(8, 2, attend, 0.25), torch.ones(3, 8), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    for part in block.modules():
        if isinstance(part, torch.nn.Dropout):
            assert part.p == 0.25
            part.register_forward_hook(count)
    with torch.random.fork_rng():
        block.train()(x, [3])
    block.eval()(x, [3])
    assert told == [0.25, 0.0]
    assert calls == 2 * 3
