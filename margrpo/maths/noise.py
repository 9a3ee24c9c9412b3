"""Keyed noise: every draw is a pure function of its key, so order, batch size and process count cannot change it."""

import hashlib
from collections.abc import Sequence

from jaxtyping import Float, Int

from margrpo.lazy import Generator, Tensor, torch
from margrpo.records import Key


def generator(key: Key, device: str = "cpu") -> Generator:
    """A fresh generator seeded by the BLAKE2b digest of the key.

    torch's CPU generator takes 32 bits of a seed, the CUDA one 64: among 10,000 keys two share a CPU stream with a
    chance of 1 %, which is harmless between different images.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


def normal(keys: Sequence[Key], shape: tuple[int, ...], device: str = "cpu") -> Float[Tensor, "b ..."]:
    """Standard normal noise of `shape` for each key."""
    return torch.stack([torch.randn(shape, generator=generator(key, device), device=device) for key in keys])


def uniform(keys: Sequence[Key], shape: tuple[int, ...], device: str = "cpu") -> Float[Tensor, "b ..."]:
    """Noise uniform in [0, 1) of `shape` for each key."""
    return torch.stack([torch.rand(shape, generator=generator(key, device), device=device) for key in keys])


def permutation(key: Key, n: int) -> list[int]:
    """A random order of 0 … n - 1."""
    return torch.randperm(n, generator=generator(key)).tolist()


def ranks(keys: Sequence[Key], n: int, device: str = "cpu") -> Int[Tensor, "b n"]:
    """The place of each of n tokens in a random order of its own for each key."""
    orders = torch.tensor([permutation(key, n) for key in keys], device=device)
    return orders.argsort(dim=1)
