from importlib.util import find_spec

import pytest
import torch
from einops import einsum
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.attention import KernelError, Sdpa, Xformers, memory_efficient_attention, packed

SMALL = st.integers(1, 4)
LENGTHS = st.lists(SMALL, min_size=1, max_size=5)


def by_the_equation(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, attn_bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Attention of (batch, length, heads, channels), as xformers lays it out."""
    scores = einsum(q, k, "b l h e, b m h e -> b h l m") / q.shape[-1] ** 0.5
    scores = scores if attn_bias is None else scores + attn_bias
    return einsum(scores.softmax(-1), v, "b h l m, b m h e -> b l h e")


class Blocks:
    """What xformers' BlockDiagonalMask stands for, as a dense bias."""

    @staticmethod
    def from_seqlens(lengths: list[int]) -> torch.Tensor:
        return torch.block_diag(*(torch.ones(length, length) for length in lengths)).log()


def qkv(lengths: list[int], heads: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1000 * heads + sum(lengths))
    return torch.randn(3, sum(lengths), heads, 8, generator=generator)


def test_a_query_that_fits_one_key_takes_its_value():
    q = torch.tensor([[[100.0, 0.0]], [[0.0, 0.0]]])
    k = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    v = torch.tensor([[[2.0, 3.0]], [[5.0, 7.0]]])
    assert torch.allclose(Sdpa().attention(q, k, v, [2]), torch.tensor([[[2.0, 3.0]], [[3.5, 5.0]]]))
    assert torch.allclose(Sdpa().attention(q, k, v, [1, 1]), v)


@settings(derandomize=True, deadline=None)
@given(lengths=LENGTHS, heads=SMALL)
def test_each_sequence_attends_to_itself_whoever_stands_beside_it(lengths: list[int], heads: int):
    parts = [each.split(lengths) for each in qkv(lengths, heads)]
    alone = torch.cat([by_the_equation(*(part[None] for part in one))[0] for one in zip(*parts, strict=True)])
    assert torch.allclose(Sdpa().attention(*qkv(lengths, heads), lengths), alone, atol=1e-6)
    assert torch.allclose(packed(by_the_equation, Blocks, *qkv(lengths, heads), lengths), alone, atol=1e-6)


def test_dropout_of_attention_weights_keeps_the_mean_of_what_is_seen():
    q, k, v = qkv([4], heads=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = torch.stack([Sdpa().attention(q, k, v, [4], 0.5) for _ in range(2000)])
    # A mean of 2000 is off by more than five standard errors in less than one of a million runs for each channel.
    error = found.std(0) / 2000**0.5
    assert bool(((found.mean(0) - Sdpa().attention(q, k, v, [4])).abs() <= 5 * error).all())
    assert torch.equal(Sdpa().attention(q, k, v, [4], 0.0), Sdpa().attention(q, k, v, [4]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_cuda_device_xformers_is_refused_with_the_way_out():
    with pytest.raises(KernelError) as said:
        Xformers().attention(*qkv([2]), [2])
    assert str(said.value) == (
        'attention.use = "xformers" needs a CUDA device, which torch does not find; set attention.use = "sdpa".'
    )


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KernelError) as said:
        memory_efficient_attention()
    assert str(said.value) == (
        'attention.use = "xformers" needs a package that is not installed; '
        'pip install "margrpo[xformers]" or set attention.use = "sdpa".'
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_an_xformers_built_for_another_torch_is_refused_in_one_quiet_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    if find_spec("xformers") is None:
        pytest.skip("needs xformers")
    once = iter([True])  # the gate is told of a device that xformers itself then does not find
    monkeypatch.setattr("torch.cuda.is_available", lambda: next(once, False))
    with pytest.raises(KernelError, match=r"found xformers 0\.\S+, whose extensions do not load with torch 2\."):
        memory_efficient_attention()
    assert caplog.records == []


@pytest.mark.gpu
@pytest.mark.parametrize("lengths", [[16, 16], [16, 7, 7, 30]], ids=["equal", "ragged"])
def test_xformers_on_a_gpu_gives_what_sdpa_gives_or_a_sentence(lengths: list[int]):
    q, k, v = (x.cuda() for x in qkv(lengths, heads=4))
    try:
        found = Xformers().attention(q, k, v, lengths)
    except KernelError as error:
        pytest.skip(str(error))
    assert torch.allclose(found, Sdpa().attention(q, k, v, lengths), atol=1e-2)
