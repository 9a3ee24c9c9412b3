import numpy as np
import pytest

from margrpo.worlds.shapes import COLOURS, KINDS, parse, repertoire, score, scores
from margrpo.worlds.shapes.colour import BACKGROUND, rgb
from margrpo.worlds.shapes.silhouette import SHAPES, coverage

RED_CIRCLE = ("red", "circle", 8, 8)
BLUE_SQUARE = ("blue", "square", 24, 8)


def _painted(alpha):
    """A red image of the given coverage on the background."""
    image = alpha * rgb("red")[:, None, None] + (1 - alpha) * np.array(BACKGROUND)[:, None, None]
    return image / 255


@pytest.mark.parametrize(
    ("objects", "text", "soft"),
    [
        ((), "a red circle", 0),
        ((RED_CIRCLE,), "a red circle", 1),
        # likeness (1 shape + 0 colour) / 2, count 1
        ((RED_CIRCLE,), "a blue circle", (1 / 2 + 1) / 2),
        # likeness 1, count 1 − 1/2
        ((RED_CIRCLE, BLUE_SQUARE), "a red circle", (1 + 1 / 2) / 2),
        # two of three: likeness 2/3, count 1 − 1/3
        ((RED_CIRCLE, ("red", "circle", 8, 24)), "three red circles", 2 / 3),
        # one of two colours wrong: likeness (1 + 1/2) / 2, count 1
        ((RED_CIRCLE, ("green", "circle", 24, 8)), "a red circle and a blue circle", (3 / 4 + 1) / 2),
        # all there, on the wrong side: likeness 1, count 1, relation 0
        ((RED_CIRCLE, BLUE_SQUARE), "a circle right of a square", 2 / 3),
        # 8 pixels along, 16 across: short of the relation by 8, half of its reach
        ((("red", "circle", 8, 8), ("blue", "square", 16, 24)), "a circle left of a square", (2 + 0.75 / 2) / 3),
        # half there: likeness 1/2, count 1/2, no relation
        ((RED_CIRCLE,), "a circle left of a square", 1 / 3),
    ],
)
def test_soft_is_the_mean_of_likeness_count_and_relation(draw, objects, text, soft):
    assert score(draw(*objects), parse(text)).soft == pytest.approx(soft)


def test_soft_rises_with_every_step_towards_the_caption(draw):
    asked = parse("a red circle above a blue square")
    steps = [
        (),
        (("green", "cross", 8, 8),),
        (("green", "circle", 8, 8),),
        (RED_CIRCLE,),
        (RED_CIRCLE, ("green", "cross", 24, 8)),
        (RED_CIRCLE, ("green", "square", 24, 8)),
        (RED_CIRCLE, BLUE_SQUARE),
        (RED_CIRCLE, ("blue", "square", 24, 20)),
        (RED_CIRCLE, ("blue", "square", 12, 24)),
    ]
    softs = [score(draw(*step), asked).soft for step in steps]
    assert softs[0] == 0
    assert softs[-1] == 1
    assert all(np.diff(softs) > 0)


def test_exchanged_colours_earn_less_than_one_wrong_colour(draw):
    asked = parse("a red circle and a blue square")
    exchanged = score(draw(("blue", "circle", 8, 8), ("red", "square", 24, 8)), asked).soft
    assert exchanged < score(draw(("green", "circle", 8, 8), BLUE_SQUARE), asked).soft


@pytest.mark.parametrize("shape", SHAPES)
def test_soft_does_not_fall_while_a_shape_grows_to_its_size(shape):
    growing = [coverage(shape, 32, x=16.0, y=16.0, scale=scale) for scale in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0)]
    softs = [score(_painted(alpha), parse(f"a red {shape}")).soft for alpha in growing]
    assert softs[-1] == 1
    assert all(np.diff(softs) >= 0)
    assert len(set(softs)) >= 3


@pytest.mark.parametrize("shape", SHAPES)
def test_each_extra_object_costs(draw, shape):
    corners = ((8, 8), (24, 8), (8, 24), (24, 24))
    softs = [
        score(draw(*(("red", shape, *corner) for corner in corners[:count])), parse(f"a red {shape}")).soft
        for count in (1, 2, 3, 4)
    ]
    assert all(np.diff(softs) < 0)


def test_showing_all_shapes_earns_less_than_guessing_one(draw):
    corners = ((8, 8), (24, 8), (8, 24), (24, 24))
    asked = repertoire("single object")
    hedge = draw(*(("red", shape, *corner) for shape, corner in zip(SHAPES, corners, strict=True)))
    hedged = [score(hedge, one).soft for one in asked]
    guessed = [score(draw(("red", "circle", 16, 16)), one).soft for one in asked]
    assert np.mean(hedged) < np.mean(guessed)


def test_a_flood_of_one_colour_earns_next_to_nothing():
    images = np.stack([np.broadcast_to(rgb(colour)[:, None, None] / 255, (3, 32, 32)) for colour in COLOURS])
    asked = [one for kind in ("single object", "two objects", "counting") for one in repertoire(kind)]
    for image in images:
        assert max(one.soft for one in scores(np.stack([image] * len(asked)), asked)) <= 0.25


def test_no_one_image_pays_for_all_captions(thousand):
    images, _ = thousand
    asked = [one for kind in KINDS for one in repertoire(kind)[::9]]
    for image in images[::50]:
        assert np.mean([one.soft for one in scores(np.stack([image] * len(asked)), asked)]) < 0.7
