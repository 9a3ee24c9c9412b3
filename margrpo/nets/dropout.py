"""Dropout as a function of a key; torch's takes no generator, so the global ones are lent to it and put back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from margrpo.contracts import Model
from margrpo.maths import noise
from margrpo.records import Key


def drops(model: Model) -> bool:
    """Whether any part of `model` drops units in training mode."""
    return any(isinstance(part, nn.Dropout) and part.p > 0 for part in model.modules())


@contextmanager
def keyed(model: Model, key: Key) -> Iterator[None]:
    """Context manager: training mode with dropout that depends on `key` only, then evaluation mode again."""
    device, seed = next(model.parameters()).device, noise.generator(key).initial_seed()
    on_cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=on_cuda):
        torch.default_generator.manual_seed(seed)
        for each in on_cuda:
            with torch.cuda.device(each):
                torch.cuda.manual_seed(seed)
        model.train()
        try:
            yield
        finally:
            model.eval()
