from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.prompts.shapes import KINDS, Shapes
from margrpo.declare import SettingError
from margrpo.worlds import shapes

FAMILIES = st.lists(st.sampled_from(KINDS), min_size=1, unique=True).map(tuple)


def test_the_kinds_are_those_of_the_world():
    assert KINDS == shapes.KINDS


def test_every_kind_is_drawn_equally_often_however_many_captions_it_has():
    source = Shapes(prompts=4, group=1)
    kinds = Counter(entry["kind"] for step in range(30) for entry in source.draw(step, seed=0).metadata)
    assert kinds == dict.fromkeys(KINDS, 20)


def test_no_caption_of_a_kind_comes_again_before_all_have():
    source = Shapes(prompts=2, group=1, kinds=("colour",))
    captions = [text for text in shapes.train_captions() if shapes.parse(text).kind == "colour"]
    drawn = [text for step in range(len(captions)) for text in source.draw(step, seed=3).text]
    assert Counter(drawn) == dict.fromkeys(captions, 2)
    assert Counter(drawn[: len(captions)]) == dict.fromkeys(captions, 1)


@given(kinds=FAMILIES, step=st.integers(0, 10**6), seed=st.integers(0, 100))
def test_only_training_captions_of_the_kinds_asked_for_are_drawn(kinds: tuple[str, ...], step: int, seed: int):
    source = Shapes(prompts=3, group=2, kinds=kinds)
    drawn = source.draw(step, seed)
    assert set(drawn.text) <= set(shapes.train_captions())
    assert {shapes.parse(text).kind for text in drawn.text} <= set(kinds)
    assert source.draw(step, seed).text == drawn.text
    assert set(source.held_out().text).isdisjoint(drawn.text)


def test_held_out_captions_are_the_worlds_one_image_each():
    held_out = Shapes().held_out()
    assert held_out.text == shapes.held_out_captions()
    assert held_out.keys[:2] == ((0, 0), (1, 0))
    assert [entry["kind"] for entry in held_out.metadata] == [shapes.parse(text).kind for text in held_out.text]


@pytest.mark.parametrize("kinds", [(), ("colour", "colour"), ("texture",)])
def test_kinds_that_are_none_or_repeated_or_unknown_are_refused(kinds: tuple[str, ...]):
    with pytest.raises(SettingError, match="must be a list, without repeats, of at least one of 'single object', "):
        Shapes(kinds=kinds)
