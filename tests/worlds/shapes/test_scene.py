from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from margrpo.worlds.shapes import BACKGROUND, COLOURS, KINDS, Placed, Scene, parse, place, render, repertoire

EVERY = tuple(one for kind in KINDS for one in repertoire(kind))
requirements = st.sampled_from(EVERY)
generators = st.integers(0, 2**32).map(np.random.default_rng)


@given(requirements, generators)
def test_a_scene_holds_the_objects_asked_for_and_keeps_them_apart(requirement, rng):
    scene = place(requirement, rng)
    for placed, asked in zip(scene.objects, requirement.objects, strict=True):
        assert placed.shape == asked.shape
        assert placed.colour == asked.colour or (asked.colour is None and placed.colour in COLOURS)
    for a, b in combinations(scene.objects, 2):
        assert max(abs(a.x - b.x), abs(a.y - b.y)) >= 16


@given(requirements, st.integers(0, 2**32))
def test_a_scene_is_a_function_of_the_generator(requirement, seed):
    one, other = (place(requirement, np.random.default_rng(seed)) for _ in range(2))
    assert one == other


def test_all_layouts_and_colours_of_a_single_object_are_drawn():
    # 45 equally likely scenes, 1,000 draws: one is missed with a probability below 1e-8.
    rng = np.random.default_rng(0)
    assert len({place(parse("a circle"), rng) for _ in range(1000)}) == 45


@given(generators)
def test_left_of_is_never_a_diagonal(rng):
    circle, square = place(parse("a circle left of a square"), rng).objects
    assert (circle.x, square.x) == (8, 24)
    assert abs(circle.y - square.y) <= 8


def test_an_empty_scene_is_the_background():
    assert (render(Scene(())) == BACKGROUND).all()


def test_a_square_covers_twelve_by_twelve_pixels_around_its_centre():
    image = render(Scene((Placed("square", "red", 8, 24),)))
    rows, columns = np.nonzero((image != BACKGROUND).any(2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 29, 2, 13)
    assert len(rows) == 144


@given(requirements, generators)
def test_shapes_neither_touch_nor_leave_the_image(requirement, rng):
    scene = place(requirement, rng)
    alone = [(render(Scene((one,))) != BACKGROUND).any(2) for one in scene.objects]
    assert np.sum(alone, axis=0).max() == 1
    border = np.ones((32, 32), dtype=bool)
    border[1:-1, 1:-1] = False
    assert not (np.any(alone, axis=0) & border).any()
