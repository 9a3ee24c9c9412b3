"""The built rewards."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from margrpo.errors import WeightsError
from margrpo.records import Prompts
from margrpo_preference.open_clip_names import read
from margrpo_preference.pair import Pair

WIDTHS = (1024, 128, 64, 16, 1)
"""Of the aesthetic predictor's layers, which have no activations between them."""
PLACES = (0, 2, 4, 6, 7)
"""Their numbers in the published file, between which dropout stood."""


class Fitting:
    """A score of how a picture and its text fit: a function of the cosine."""

    def __init__(self, pair: Pair, of_cosine: Callable[[Tensor], Tensor]):
        self.pair, self.of_cosine = pair, of_cosine

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """One number an image."""
        return self.of_cosine(self.pair.cosine(images, prompts)).to(images.device)


class Marking:
    """A score of the picture alone."""

    def __init__(self, pair: Pair, marks: nn.Module):
        self.pair, self.marks = pair, marks.eval().requires_grad_(False)

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """One mark an image."""
        return self.marks(self.pair.pictures(images)).squeeze(-1).to(images.device)


def predictor(file: Path, *, width: int) -> nn.Sequential:
    """The five layers with the weights of a file."""
    with torch.random.fork_rng(devices=[]):
        layers = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise((width, *WIDTHS))))
    sorts = ("weight", "bias")
    wanted = {f"layers.{there}.{sort}": f"{here}.{sort}" for here, there in enumerate(PLACES) for sort in sorts}
    tensors = read(file)
    if set(tensors) != set(wanted):
        raise WeightsError(
            f"{file}: does not hold the layers of the aesthetic predictor; give sac+logos+ava1-l14-linearMSE.pth"
        )
    try:
        layers.load_state_dict({wanted[name]: tensor for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"{file}: {str(error).splitlines()[1].strip()}; `base` must be CLIP ViT-L/14") from None
    return layers
