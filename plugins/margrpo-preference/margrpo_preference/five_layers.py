"""The last five linear layers of the aesthetic predictor and of ImageReward, without activations between them."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

WIDTHS = (1024, 128, 64, 16, 1)
"""Output channels of each layer."""
PLACES = (0, 2, 4, 6, 7)
"""Numbers of the layers in published files, in which dropout layers have the other numbers."""


def five_layers(width: int) -> nn.Sequential:
    """The five layers, whose weights are still to be loaded."""
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(*(nn.Linear(*pair) for pair in pairwise((width, *WIDTHS))))


def renumbered(tensors: Mapping[str, Tensor], published: str, here: str) -> dict[str, Tensor]:
    """All tensors, with the layers' tensors renamed from the prefix `published` to `here` and renumbered."""
    sorts = ("weight", "bias")
    known = {f"{published}{number}.{sort}": f"{here}{at}.{sort}" for at, number in enumerate(PLACES) for sort in sorts}
    return {known.get(name, name): tensor for name, tensor in tensors.items()}
