from collections import Counter

import pytest

from margrpo.errors import MargrpoError
from margrpo.worlds.shapes import KINDS, caption, held_out_captions, meaning, parse, repertoire, train_captions


def _per_kind(captions):
    return Counter(parse(text).kind for text in captions)


def test_no_train_caption_means_the_same_as_a_held_out_one():
    trained = {meaning(parse(text)) for text in train_captions()}
    held = {meaning(parse(text)) for text in held_out_captions()}
    assert not trained & held


def test_the_two_lists_together_are_all_captions_each_once():
    both = train_captions() + held_out_captions()
    assert Counter(both) == Counter(caption(one) for kind in KINDS for one in repertoire(kind))


def test_about_a_quarter_of_the_meanings_of_each_kind_is_held_out():
    for kind in KINDS:
        meanings = {meaning(one) for one in repertoire(kind)}
        held = {meaning(parse(text)) for text in held_out_captions() if parse(text).kind == kind}
        assert len(held) >= 1
        assert abs(len(held) - len(meanings) / 4) <= 0.5


def test_the_held_out_list_has_these_sizes():
    assert _per_kind(held_out_captions()) == {
        "single object": 1,
        "two objects": 4,
        "counting": 18,
        "colour": 5,
        "position": 312,
        "colour attribution": 80,
    }


@pytest.mark.parametrize("count", [0, 1, 6, 7, 24, 60, 100, 200, 400])
def test_every_prefix_is_as_balanced_as_the_captions_allow(count):
    total, prefix = _per_kind(held_out_captions()), _per_kind(held_out_captions(count))
    assert sum(prefix.values()) == count
    most = max(prefix.values(), default=0)
    assert all(prefix[kind] >= min(most - 1, total[kind]) for kind in KINDS)


def test_the_lists_begin_as_they_always_did():
    assert held_out_captions(6) == (
        "a circle",
        "a cross and a square",
        "three green crosses",
        "a green circle",
        "a square left of a triangle",
        "a blue circle and a yellow circle",
    )


def test_asking_for_too_many_says_how_many_there_are():
    with pytest.raises(MargrpoError) as refusal:
        held_out_captions(421)
    assert str(refusal.value) == (
        "421 held-out captions were asked for, but the world 'shapes' has 420; ask for 0 to 420."
    )
