from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from margrpo.errors import RewardError
from margrpo.worlds.shapes import (
    COLOURS,
    KINDS,
    RELATIONS,
    SHAPES,
    Asked,
    Requirement,
    parse,
    place,
    render,
    repertoire,
    score,
    scores,
)

pytestmark = pytest.mark.usefixtures("shapes_unchecked")  # those of 17,000 images; the reward's own tests check them
EVERY = tuple(one for kind in KINDS for one in repertoire(kind))


def _strict(images, asked):
    return np.array([one.strict for one in scores(images, asked)])


def test_own_renders_satisfy_their_captions(draw_scenes):
    assert _strict(*draw_scenes(10_000)).sum() >= 9_990


def _mutated(requirement, rng):
    """The requirement with one demand changed so that the same image cannot satisfy it."""
    options = [replace(requirement, objects=(*requirement.objects, requirement.objects[0]), relation=None)]
    if requirement.relation:
        opposite = {"left of": "right of", "above": "below"}
        opposite |= {value: key for key, value in opposite.items()}
        crossed = "above" if requirement.relation in ("left of", "right of") else "left of"
        options += [replace(requirement, relation=other) for other in (opposite[requirement.relation], crossed)]
    first, *rest = requirement.objects
    shape = SHAPES[(SHAPES.index(first.shape) + int(rng.integers(1, 4))) % 4]
    options.append(replace(requirement, objects=(replace(first, shape=shape), *rest)))
    if first.colour:
        colour = COLOURS[(COLOURS.index(first.colour) + int(rng.integers(1, 5))) % 5]
        options.append(replace(requirement, objects=(replace(first, colour=colour), *rest)))
    return options


def test_an_image_satisfies_no_mutation_of_its_caption(thousand):
    images, asked = thousand
    rng = np.random.default_rng(2)
    pairs = [(image, wrong) for image, one in zip(images, asked, strict=True) for wrong in _mutated(one, rng)]
    wrongly = scores(np.stack([image for image, _ in pairs]), [wrong for _, wrong in pairs])
    assert not any(one.strict for one in wrongly)
    assert max(one.soft for one in wrongly) < 1


@pytest.mark.parametrize("deviation", [0.05, 0.1])
def test_noise_changes_no_verdict(thousand, deviation):
    images, asked = thousand
    noise = np.random.default_rng(3).normal(0, deviation, images.shape).astype(np.float32)
    assert _strict(images + noise, asked).sum() >= 999


@pytest.mark.parametrize("deviation", [0.5, 1.0])
def test_blur_changes_no_verdict(thousand, deviation):
    images, asked = thousand
    assert _strict(gaussian_filter(images, (0, 0, deviation, deviation)), asked).sum() >= 999


def test_blur_with_noise_changes_no_verdict(thousand):
    images, asked = thousand
    noise = np.random.default_rng(4).normal(0, 0.05, images.shape).astype(np.float32)
    assert _strict(gaussian_filter(images, (0, 0, 1, 1)) + noise, asked).sum() >= 999


@settings(deadline=None)
@given(st.sampled_from(EVERY), st.sampled_from(EVERY), st.integers(0, 2**32), st.floats(0, 0.4))
def test_soft_is_one_exactly_where_strict_is(drawn_for, asked, seed, deviation):
    rng = np.random.default_rng(seed)
    image = render(place(drawn_for, rng)).transpose(2, 0, 1) / 255 + rng.normal(0, deviation, (3, 32, 32))
    for requirement in (drawn_for, asked):
        given = score(image, requirement)
        assert 0 <= given.soft <= 1
        assert (given.soft == 1) == (given.strict == 1)


def test_the_objects_found_are_those_drawn(draw):
    image = draw(("red", "circle", 8, 8), ("blue", "triangle", 24, 16), ("yellow", "cross", 8, 24))
    found = score(image, parse("a circle")).found
    assert {(one.colour, one.shape, one.x, one.y) for one in found} == {
        ("red", "circle", 8.0, 8.0),
        ("blue", "triangle", 24.0, 16.0),
        ("yellow", "cross", 8.0, 24.0),
    }


def test_a_batch_is_scored_as_its_images_are(thousand):
    images, asked = (part[:60] for part in thousand)
    for image, one, batched in zip(images, asked, scores(images, asked), strict=True):
        alone = score(image, one)
        assert (alone.strict, alone.soft) == (batched.strict, batched.soft)


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_diagonal_satisfies_both_of_its_relations(draw, relation):
    x, y = RELATIONS[relation]
    for across in (-8, 8):
        dx, dy = (8 * x or across), (8 * y or across)
        image = draw(("red", "circle", 16 + dx, 16 + dy), ("red", "square", 16 - dx, 16 - dy))
        asked = Requirement("position", (Asked("circle"), Asked("square")), relation)
        assert score(image, asked).strict == 1


def test_a_shape_of_a_colour_off_the_palette_has_no_colour(draw):
    image = draw(("red", "circle", 16, 16))
    dark = np.where(image[1] < 0.5, 0.0, image).astype(np.float32)
    assert score(dark, parse("a red circle")).strict == 0
    assert score(dark, parse("a red circle")).found[0].colour is None


def test_two_shapes_grown_together_are_no_shape(draw):
    image = draw(("red", "square", 8, 16), ("red", "square", 24, 16))
    image[:, 10:22, 14:18] = image[:, 16, 8][:, None, None]
    found = score(image, parse("two red squares"))
    assert [one.shape for one in found.found] == [None]
    assert found.strict == 0


def test_specks_are_no_objects_but_blots_are(draw):
    image = draw(("red", "circle", 8, 8))
    blue = draw(("blue", "square", 16, 16))[:, 16, 16]
    image[:, 20:23, 20:25] = blue[:, None, None]
    assert score(image, parse("a red circle")).strict == 1
    image[:, 20:24, 20:24] = blue[:, None, None]
    assert score(image, parse("a red circle")).strict == 0


def test_an_image_that_is_not_finite_is_refused(draw):
    images = np.stack([draw(), draw()])
    images[1, 0, 3, 3] = np.nan
    with pytest.raises(RewardError, match=r"The images numbered \[1\] hold values that are not finite"):
        scores(images, [parse("a circle")] * 2)
