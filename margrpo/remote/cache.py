"""A cache of scores in memory."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.contracts import Scorer
from margrpo.records import Prompts


class CachingScorer:
    """A scorer that calls the inner scorer only for images whose scores it does not remember."""

    def __init__(self, inner: Scorer, reads: Sequence[str], entries: int):
        self.inner, self.reads, self.entries = inner, reads, entries
        self.known: OrderedDict[bytes, float] = OrderedDict()
        self.lock = Lock()

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The scores of `images`, from memory where they are known."""
        names = [self.name(image, prompts, place) for place, image in enumerate(images.detach().float().cpu())]
        with self.lock:
            found = {name: self.known[name] for name in names if name in self.known}
        new = {name: place for place, name in enumerate(names) if name not in found}
        if new:
            places = list(new.values())
            scores = self.inner.score(images[places], prompts.at(places)).float().tolist()
            found |= dict(zip(new, scores, strict=True))
        self.remember({name: found[name] for name in names})
        return torch.tensor([found[name] for name in names], device=images.device)

    def name(self, image: Float[Tensor, "3 h w"], prompts: Prompts, place: int) -> bytes:
        """The digest of an image and of the fields of its prompt that the reward reads."""
        parts = {
            "text": prompts.text[place],
            "label": int(prompts.label[place]),
            "metadata": prompts.metadata[place],
        }
        said = json.dumps([list(image.shape), [parts[name] for name in self.reads]], sort_keys=True, default=repr)
        return hashlib.sha256(image.numpy().tobytes() + said.encode()).digest()

    def remember(self, scores: dict[bytes, float]) -> None:
        """Keep `scores` as the latest entries, and drop the oldest beyond the limit."""
        with self.lock:
            for name, score in scores.items():
                self.known[name] = score
                self.known.move_to_end(name)
            while len(self.known) > self.entries:
                self.known.popitem(last=False)
