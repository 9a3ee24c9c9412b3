"""CLIP's two towers: pictures and texts as directions."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from margrpo.records import Prompts
from margrpo.weights.pretrained import loaded
from margrpo_preference.pixels import cropped, normalised

Fit = Callable[[Tensor, int], Tensor]


class Pair:
    """A CLIP model with its tokenizer; pictures and texts become vectors of length 1."""

    def __init__(self, model: CLIPModel, tokenizer: Any, *, device: str, batch: int, fit: Fit = cropped):
        self.model = model.to(device).eval().requires_grad_(False)
        self.tokenizer, self.batch, self.fit = tokenizer, batch, fit

    @classmethod
    def of(cls, place: str, *, device: str, batch: int) -> "Pair":
        """The model and tokenizer of a folder or repository."""
        return cls(loaded(CLIPModel, place), loaded(CLIPTokenizer, place), device=device, batch=batch)

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return next(self.model.parameters()).device

    @torch.no_grad()
    def pictures(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b e"]:
        """The direction of each picture, computed a few at a time."""
        side = self.model.config.vision_config.image_size
        parts = images.to(self.device).split(self.batch)
        return torch.cat([direction(self.model.get_image_features(normalised(self.fit(x, side)))) for x in parts])

    @torch.no_grad()
    def texts(self, prompts: Prompts) -> Float[Tensor, "b e"]:
        """The direction of each prompt's text, computed once for each distinct text."""
        places, which = prompts.distinct()
        most = self.model.config.text_config.max_position_embeddings
        tokens = self.tokenizer(
            [prompts.text[place] for place in places],
            padding="max_length",
            truncation=True,
            max_length=most,
            return_tensors="pt",
        ).to(self.device)
        parts = zip(*(tokens[name].split(self.batch) for name in ("input_ids", "attention_mask")), strict=True)
        found = [direction(self.model.get_text_features(input_ids=ids, attention_mask=mask)) for ids, mask in parts]
        return torch.cat(found)[which.to(self.device)]

    def cosine(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The cosine between each picture and its text."""
        return (self.pictures(images) * self.texts(prompts)).sum(-1)


def direction(found: Any) -> Float[Tensor, "b e"]:
    """A feature of length 1; transformers 5 wraps it into an output."""
    features: Tensor = getattr(found, "pooler_output", found)
    return features / features.norm(dim=-1, keepdim=True)


def empty(place: str) -> CLIPModel:
    """A model of the configuration at `place`, whose weights are still to be loaded."""
    with torch.random.fork_rng(devices=[]):
        return CLIPModel(loaded(CLIPConfig, place))
