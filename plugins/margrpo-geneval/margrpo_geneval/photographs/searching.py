"""Batches of images that are searched for equal names."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from margrpo.pictures.grid import picture
from margrpo_geneval.contracts import Detection


@runtime_checkable
class Search(Protocol):
    """A network that finds objects by their names."""

    def search(self, pictures: Sequence[Image.Image], names: Sequence[str]) -> list[list[Detection]]:
        """The objects found in each picture; `names` is not empty."""
        ...


class Searching:
    """A finder in which the names searched for in one image do not affect another image."""

    def __init__(self, search: Search):
        self.search = search

    @torch.no_grad()
    def find(self, images: Float[Tensor, "b 3 h w"], names: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """The objects in each image that may have one of the image's `names`."""
        together: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, each in enumerate(names):
            together[tuple(each)].append(place)
        found: list[list[Detection]] = [[] for _ in names]
        for wanted, places in together.items():
            if wanted:
                pictures = [picture(images[place], 1) for place in places]
                for place, objects in zip(places, self.search.search(pictures, wanted), strict=True):
                    found[place] = objects
        return found


def box_of(edges: Float[Tensor, "4"]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom as numbers."""
    left, top, right, bottom = edges.tolist()
    return left, top, right, bottom
