import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.kernel import Sdpa
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
    assert torch.allclose(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-5)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, data=st.data())
def test_a_block_knows_no_order(seed: int, data: st.DataObject):
    block = alive(Block(8, 2, Sdpa().attention, 0.0), seed)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(seed))
    order = data.draw(st.permutations(range(5)))
    assert torch.allclose(block(x[:, order]), block(x)[:, order], atol=1e-5)


def test_dropout_acts_in_training_only():
    block, x = alive(Block(8, 2, Sdpa().attention, 0.5)), torch.ones(1, 3, 8)
    with torch.random.fork_rng():
        assert not torch.equal(block.train()(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def test_dropout_acts_on_attention_weights_after_attention_and_twice_in_the_mlp():
    told: list[float] = []

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dropout: float) -> torch.Tensor:
        told.append(dropout)
        return v

    block, x, calls = Block(8, 2, attend, 0.25), torch.ones(1, 3, 8), 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    for part in block.modules():
        if isinstance(part, torch.nn.Dropout):
            assert part.p == 0.25
            part.register_forward_hook(count)
    with torch.random.fork_rng():
        block.train()(x)
    block.eval()(x)
    assert told == [0.25, 0.0]
    assert calls == 2 * 3
