"""The five linear layers with which the aesthetic predictor and ImageReward end, without activations between them."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

WIDTHS = (1024, 128, 64, 16, 1)
"""What each gives."""
PLACES = (0, 2, 4, 6, 7)
"""Their numbers in published files, between which dropout stood."""


def five_layers(width: int) -> nn.Sequential:
    """The layers, with weights still to be loaded."""
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(*(nn.Linear(*pair) for pair in pairwise((width, *WIDTHS))))


def renumbered(tensors: Mapping[str, Tensor], published: str, here: str) -> dict[str, Tensor]:
    """The layers' tensors, which a file has under one prefix, under another and by their places; others as they are."""
    sorts = ("weight", "bias")
    known = {f"{published}{number}.{sort}": f"{here}{at}.{sort}" for at, number in enumerate(PLACES) for sort in sorts}
    return {known.get(name, name): tensor for name, tensor in tensors.items()}
