from importlib.util import find_spec

import pytest
import torch
from einops import einsum
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.kernel import KernelError, Sdpa, Xformers, memory_efficient_attention, with_heads_third

SMALL = st.integers(1, 4)


def by_the_equation(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention of (batch, length, heads, channels), as xformers lays it out."""
    scores = einsum(q, k, "b l h e, b m h e -> b h l m") / q.shape[-1] ** 0.5
    return einsum(scores.softmax(-1), v, "b h l m, b m h e -> b l h e")


def qkv(batch: int, heads: int, length: int, keys: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch * 1000 + heads * 100 + length * 10 + keys)
    q = torch.randn(batch, heads, length, 8, generator=generator)
    k, v = torch.randn(2, batch, heads, keys, 8, generator=generator)
    return q, k, v


def test_a_query_that_fits_one_key_takes_its_value():
    q = torch.tensor([[[[100.0, 0.0]]]])
    k = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    v = torch.tensor([[[[2.0, 3.0], [5.0, 7.0]]]])
    assert torch.allclose(Sdpa().attention(q, k, v), torch.tensor([[[[2.0, 3.0]]]]))


@given(batch=SMALL, heads=SMALL, length=SMALL, keys=SMALL)
def test_the_layout_of_xformers_gives_what_sdpa_gives(batch: int, heads: int, length: int, keys: int):
    q, k, v = qkv(batch, heads, length, keys)
    laid_out = with_heads_third(by_the_equation, q, k, v)
    assert torch.allclose(laid_out, Sdpa().attention(q, k, v), atol=1e-6)


def test_dropout_of_attention_weights_keeps_the_mean_of_what_is_seen():
    q, k, v = qkv(1, 1, 1, 4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = torch.stack([Sdpa().attention(q, k, v, 0.5) for _ in range(2000)])
    # A mean of 2000 is off by more than five standard errors in less than one of a million runs for each channel.
    error = found.std(0) / 2000**0.5
    assert bool(((found.mean(0) - Sdpa().attention(q, k, v)).abs() <= 5 * error).all())
    assert torch.equal(Sdpa().attention(q, k, v, 0.0), Sdpa().attention(q, k, v))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_cuda_device_xformers_is_refused_with_the_way_out():
    with pytest.raises(KernelError) as said:
        Xformers().attention(*qkv(1, 1, 2, 2))
    assert str(said.value) == (
        'kernel.use = "xformers" needs a CUDA device, and torch finds none; set kernel.use = "sdpa".'
    )


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KernelError) as said:
        memory_efficient_attention()
    assert str(said.value) == (
        'kernel.use = "xformers" needs a package that is not installed; '
        'pip install "margrpo[xformers]" or set kernel.use = "sdpa".'
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
def test_xformers_on_a_gpu_gives_what_sdpa_gives_or_a_sentence():
    q, k, v = (x.cuda() for x in qkv(2, 4, 16, 16))
    try:
        found = Xformers().attention(q, k, v)
    except KernelError as error:
        pytest.skip(str(error))
    assert torch.allclose(found, Sdpa().attention(q, k, v), atol=1e-2)
