"""Rendered images of the world `shapes` with their captions."""

from functools import cache
from typing import TYPE_CHECKING

from jaxtyping import Float

from margrpo.declare import between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import Prompts

if TYPE_CHECKING:
    from numpy.random import Generator


@component
class Shapes:
    """Random scenes of coloured shapes; each kind of caption is equally frequent, held-out captions never occur."""

    mislabelled: float = setting(0.0, "share of images with the caption of another scene", check=between(0, 1))

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
        """Batch `index`: images in [0, 1] and their captions."""
        import numpy as np

        from margrpo.worlds import shapes

        rng = np.random.default_rng([seed, index])
        texts = [draw_caption(rng) for _ in range(count)]
        pixels = np.stack([shapes.render(shapes.place(shapes.parse(text), rng)) for text in texts])
        wrong = rng.random(count) < self.mislabelled
        shown = tuple(draw_caption(rng) if bad else text for text, bad in zip(texts, wrong, strict=True))
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        keys = tuple((index, place) for place in range(count))
        return images, Prompts(shown, torch.zeros(count, dtype=torch.long), ({},) * count, torch.arange(count), keys)


def draw_caption(rng: "Generator") -> str:
    """Draw a training caption: first its kind, then a caption of this kind."""
    kinds = captions_by_kind()
    captions = kinds[int(rng.integers(len(kinds)))]
    return captions[int(rng.integers(len(captions)))]


@cache
def captions_by_kind() -> tuple[tuple[str, ...], ...]:
    """The training captions of each kind."""
    from margrpo.worlds import shapes

    captions: dict[str, list[str]] = {kind: [] for kind in shapes.KINDS}
    for text in shapes.train_captions():
        captions[shapes.parse(text).kind].append(text)
    return tuple(map(tuple, captions.values()))
