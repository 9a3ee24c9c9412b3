"""Images for the tests of the scorer."""

from collections.abc import Callable

import numpy as np
import pytest

from margrpo.worlds.shapes import KINDS, Placed, Requirement, Scene, place, render, repertoire


@pytest.fixture(scope="session")
def draw() -> Callable[..., np.ndarray]:
    """Draws (colour, shape, x, y) objects: a channel-first image in [0, 1]."""

    def draw(*objects: tuple[str, str, int, int]) -> np.ndarray:
        scene = Scene(tuple(Placed(shape, colour, x, y) for colour, shape, x, y in objects))
        return render(scene).transpose(2, 0, 1).astype(np.float32) / 255

    return draw


@pytest.fixture(scope="session")
def thousand() -> tuple[np.ndarray, tuple[Requirement, ...]]:
    """A thousand images of the world, kinds in turn, and what each was drawn for."""
    return drawn(1000)


@pytest.fixture(scope="session")
def draw_scenes() -> Callable[[int], tuple[np.ndarray, tuple[Requirement, ...]]]:
    """Draws as many images of the world as asked for."""
    return drawn


def drawn(count: int) -> tuple[np.ndarray, tuple[Requirement, ...]]:
    """Images of the world, kinds in turn, and what each was drawn for."""
    rng = np.random.default_rng(1)
    repertoires = [repertoire(kind) for kind in KINDS]
    asked = tuple(ones[rng.integers(len(ones))] for ones in (repertoires[i % 6] for i in range(count)))
    images = np.stack([render(place(one, rng)) for one in asked])
    return images.transpose(0, 3, 1, 2).astype(np.float32) / 255, asked
