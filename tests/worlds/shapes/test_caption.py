import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.errors import MargrpoError
from margrpo.worlds.shapes import KINDS, VOCABULARY, Asked, Requirement, caption, meaning, parse, repertoire, words

EVERY = tuple(one for kind in KINDS for one in repertoire(kind))
TEXTS = frozenset(map(caption, EVERY))


@pytest.mark.parametrize("requirement", [pytest.param(repertoire(kind), id=kind) for kind in KINDS])
def test_parse_and_caption_are_inverse_for_every_requirement(requirement):
    assert tuple(parse(caption(one)) for one in requirement) == requirement


def test_captions_are_unique():
    assert len(TEXTS) == len(EVERY) == 1676


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("a circle", Requirement("single object", (Asked("circle"),))),
        ("a red circle", Requirement("colour", (Asked("circle", "red"),))),
        ("two circles", Requirement("counting", (Asked("circle"),) * 2)),
        ("three red crosses", Requirement("counting", (Asked("cross", "red"),) * 3)),
        ("a circle and a square", Requirement("two objects", (Asked("circle"), Asked("square")))),
        ("a circle above a square", Requirement("position", (Asked("circle"), Asked("square")), "above")),
        (
            "a red circle left of a blue square",
            Requirement("position", (Asked("circle", "red"), Asked("square", "blue")), "left of"),
        ),
        (
            "a red circle and a blue circle",
            Requirement("colour attribution", (Asked("circle", "red"), Asked("circle", "blue"))),
        ),
    ],
)
def test_a_caption_of_each_kind_is_read_as_written(text, requirement):
    assert parse(text) == requirement


def test_the_vocabulary_is_exactly_the_words_of_all_captions():
    used = {word for one in EVERY for word in words(caption(one))}
    assert used == set(VOCABULARY)
    assert len(VOCABULARY) == len(set(VOCABULARY))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a red circle and a blue square", "a blue square and a red circle"),
        ("a circle left of a square", "a square right of a circle"),
        ("a red circle above a red cross", "a red cross below a red circle"),
        ("a cross and a square", "a square and a cross"),
    ],
)
def test_swapping_the_objects_keeps_the_meaning(one, other):
    assert meaning(parse(one)) == meaning(parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a circle left of a square", "a square left of a circle"),
        ("a circle left of a square", "a circle above a square"),
        ("a circle left of a square", "a circle and a square"),
        ("a red circle and a blue square", "a blue circle and a red square"),
    ],
)
def test_different_demands_differ_in_meaning(one, other):
    assert meaning(parse(one)) != meaning(parse(other))


def test_a_refusal_names_the_text_its_unknown_words_the_kinds_and_an_example():
    with pytest.raises(MargrpoError) as refusal:
        parse("a pink circle")
    assert str(refusal.value) == (
        "'a pink circle' is not a caption of the world 'shapes', which has no word 'pink'; write one of its six kinds "
        "(single object, two objects, counting, colour, position, colour attribution), for example 'a circle'."
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "A circle", "a  circle", "a circle ", "one circle", "five circles", "two circle", "a circles",
        "a circle and a circle", "a red circle and a square", "a red circle and a red square",
        "a circle left of a circle", "a red circle above a square", "a circle beside a square",
    ],
)  # fmt: skip
def test_nearly_captions_are_refused_with_an_example(text):
    with pytest.raises(MargrpoError, match=r"for example 'a|for example 't|for example 'f"):
        parse(text)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY), max_size=8).map(" ".join))
def test_a_string_of_words_is_either_a_caption_or_refused_by_its_text(text):
    if text in TEXTS:
        assert caption(parse(text)) == text
    else:
        with pytest.raises(MargrpoError, match=re.escape(repr(text))):
            parse(text)
