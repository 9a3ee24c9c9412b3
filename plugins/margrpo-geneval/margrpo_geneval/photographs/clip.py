"""CLIP at telling colours."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

from margrpo.pictures.grid import picture
from margrpo.weights.pretrained import loaded
from margrpo_geneval.colours import PALETTE
from margrpo_geneval.contracts import Detection

TEMPLATES = ("a photo of a {colour} {name}", "a photo of a {colour}-colored {name}", "a photo of a {colour} object")
GREY = (0x99, 0x99, 0x99)
"""What stands around an object whose mask is known."""


class ClipNamer:
    """The model, and the directions of the ten colours for each class that was asked about."""

    def __init__(self, place: str, batch: int, device: str):
        self.batch = batch
        self.images, self.tokenizer = loaded(AutoImageProcessor, place), loaded(AutoTokenizer, place)
        self.model = loaded(CLIPModel, place).to(device).eval().requires_grad_(False)
        self.known: dict[str, Tensor] = {}

    @torch.no_grad()
    def colours(self, image: Float[Tensor, "3 h w"], objects: Sequence[Detection]) -> list[str | None]:
        """The likeliest colour of each object."""
        names, whole = list(PALETTE), picture(image, 1)
        found: list[str | None] = []
        for start in range(0, len(objects), self.batch):
            some = objects[start : start + self.batch]
            pixels = self.images(images=[cut(whole, each) for each in some], return_tensors="pt")
            seen = direction(self.model.get_image_features(**pixels.to(self.model.device)))
            for each, one in zip(some, seen, strict=True):
                found.append(names[int((self.directions(each.name) @ one).argmax())])
        return found

    def directions(self, name: str) -> Float[Tensor, "10 e"]:
        """The direction of each colour of a class: the mean over the templates."""
        if name not in self.known:
            texts = [each.format(colour=colour, name=name) for colour in PALETTE for each in TEMPLATES]
            tokens = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(self.model.device)
            each = direction(self.model.get_text_features(**tokens))
            self.known[name] = functional.normalize(each.unflatten(0, (len(PALETTE), len(TEMPLATES))).mean(1), dim=-1)
        return self.known[name]


def direction(found: Any) -> Float[Tensor, "m e"]:
    """Features of length 1; transformers 5 wraps them into an output."""
    features: Tensor = getattr(found, "pooler_output", found)
    return functional.normalize(features, dim=-1)


def cut(picture: Image.Image, found: Detection) -> Image.Image:
    """An object cut out of its picture, at least a pixel of it."""
    if found.mask is not None:
        mask = Image.fromarray(found.mask.cpu().numpy())
        picture = Image.composite(picture, Image.new("RGB", picture.size, GREY), mask)
    left, top, right, bottom = (round(edge) for edge in found.box)
    left, top = min(max(left, 0), picture.width - 1), min(max(top, 0), picture.height - 1)
    right, bottom = max(min(right, picture.width), left + 1), max(min(bottom, picture.height), top + 1)
    return picture.crop((left, top, right, bottom))
