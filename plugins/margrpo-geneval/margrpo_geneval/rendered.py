"""Cases from the world of shapes, with their metadata."""

import torch

from margrpo.records import Case, Prompt
from margrpo.worlds import shapes
from margrpo_geneval.captions import metadata_of


def shown() -> list[Case]:
    """Cases of a right scene, a scene with exchanged places, and an empty scene, with ranges of the soft score."""
    caption = "a red circle left of a blue square"
    prompt = Prompt(caption, metadata=metadata_of(caption))
    left, right = shapes.Placed("circle", "red", 8, 16), shapes.Placed("square", "blue", 24, 16)
    turned = (shapes.Placed("circle", "red", 24, 16), shapes.Placed("square", "blue", 8, 16))
    scenes = {"as asked": ((left, right), 1.0, 1.0), "places exchanged": (turned, 0.8, 0.9), "nothing": ((), 0.0, 0.0)}
    return [
        Case(what, pixels(shapes.Scene(objects)), prompt, low, high) for what, (objects, low, high) in scenes.items()
    ]


def pixels(scene: shapes.Scene) -> torch.Tensor:
    """A scene as an image with values in [0, 1]."""
    return torch.from_numpy(shapes.render(scene)).permute(2, 0, 1).float() / 255
