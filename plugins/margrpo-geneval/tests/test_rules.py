import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from margrpo_geneval.contracts import Detection
from margrpo_geneval.metadata import WORDS, asked
from margrpo_geneval.relation import Plain, Published
from margrpo_geneval.rules import kept, score

HOLDS = Published().holds


def found(
    name: str, x: float = 0.0, y: float = 0.0, *, score: float = 1.0, size: float = 10.0, colour: str = "red"
) -> Detection:
    return Detection(name, score, (x - size / 2, y - size / 2, x + size / 2, y + size / 2), None, colour)


def judged(objects: list[Detection], include: list[dict], exclude: list[dict] = (), tag: str = ""):  # type: ignore[assignment]
    wanted = asked({"tag": tag, "include": include, "exclude": list(exclude)}, "a prompt")
    return score(
        kept(objects, threshold=0.3, most=16, overlap=1.0), wanted, lambda group: [o.colour for o in group], HOLDS
    )


DOG, CAT = {"class": "dog", "count": 1}, {"class": "cat", "count": 1}


@pytest.mark.parametrize(
    ("objects", "include", "exclude", "strict", "soft"),
    [
        ([found("dog")], [DOG], [], True, 1.0),
        ([], [DOG], [], False, 0.0),
        ([found("dog")], [DOG, CAT], [], False, 0.5),
        ([found("dog", score=0.2)], [DOG], [], False, 0.0),
        ([found("dog"), found("dog", 20)], [{"class": "dog", "count": 2}], [{"class": "dog", "count": 3}], True, 1.0),
        ([found("dog")] * 1, [{"class": "dog", "count": 2}], [], False, 0.5),
        ([found("dog")] * 3, [{"class": "dog", "count": 2}], [{"class": "dog", "count": 3}], False, 0.5),
        ([found("dog", colour="blue")], [{**DOG, "color": "red"}], [], False, 0.5),
        ([found("dog")], [{**DOG, "color": "red"}], [], True, 1.0),
        ([found("cat", 50), found("dog")], [CAT, {**DOG, "position": ["left of", 0]}], [], True, 1.0),
        ([found("cat"), found("dog", 50)], [CAT, {**DOG, "position": ["left of", 0]}], [], False, 0.75),
        ([found("dog", 50)], [CAT, {**DOG, "position": ["left of", 0]}], [], False, 0.25),
    ],
)
def test_scores_by_hand(objects, include, exclude, strict: bool, soft: float) -> None:  # type: ignore[no-untyped-def]
    made = judged(objects, include, exclude)
    assert (made.strict, made.soft) == (strict, pytest.approx(soft))


def test_the_surest_object_is_the_one_whose_colour_counts() -> None:
    objects = [found("dog", score=0.5, colour="red"), found("dog", 30, score=0.9, colour="blue")]
    assert not judged(objects, [{**DOG, "color": "red"}]).strict
    assert judged(objects, [{**DOG, "color": "blue"}]).strict


def test_entries_of_one_class_share_its_objects_and_none_serves_two() -> None:
    red, blue = {**DOG, "color": "red"}, {**DOG, "color": "blue"}
    both = [found("dog", colour="blue"), found("dog", 30, colour="red")]
    assert judged(both, [red, blue]).strict
    assert judged(both, [blue, red]).strict
    assert not judged(both[:1], [red, blue]).strict
    assert not judged([found("dog"), found("dog", 30)], [red, blue]).strict


def test_an_entry_without_a_colour_leaves_the_coloured_one_its_object() -> None:
    black, anyone = {**DOG, "color": "black"}, DOG
    objects = [found("dog", score=0.9, colour="black"), found("dog", 30, score=0.5, colour="white")]
    assert judged(objects, [anyone, black]).strict
    assert judged(objects, [black, anyone]).strict
    left = {**black, "position": ["left of", 0]}
    assert judged(objects, [anyone, left]).strict  # the white one, which is the other's, is to the right


def test_no_object_makes_up_what_another_entry_has_got() -> None:
    black, white = found("dog", score=0.9, colour="black"), found("dog", 30, score=0.5, colour="white")
    assert judged([white], [DOG, {**DOG, "color": "black"}]).soft == pytest.approx(0.5)
    two = {"class": "dog", "count": 2, "color": "black"}
    assert judged([black, white], [two, DOG]).soft == pytest.approx((0.5 + 1) / 2)  # two dogs are no three
    assert judged([black, white], [two]).soft == pytest.approx((1 + 0.5) / 2)


def test_overlapping_objects_count_once_where_that_is_asked_for() -> None:
    twice = [found("dog", score=0.9), found("dog", 1, score=0.8), found("dog", 30)]
    assert len(kept(twice, threshold=0.3, most=16, overlap=1.0)["dog"]) == 3
    assert len(kept(twice, threshold=0.3, most=16, overlap=0.5)["dog"]) == 2
    assert len(kept(twice, threshold=0.3, most=1, overlap=1.0)["dog"]) == 1


def correct(objects: dict[str, list[Detection]], include: list[dict], exclude: list[dict]) -> bool:  # type: ignore[type-arg]
    """The public evaluation in other words, for one entry a class."""
    groups: list[list[Detection] | None] = []
    for entry in include:
        group = objects.get(entry["class"], [])[: entry["count"]]
        fine = len(group) == entry["count"]
        if fine and "color" in entry:
            fine = all(each.colour == entry["color"] for each in group)
        if fine and "position" in entry:
            word, number = entry["position"]
            others = groups[number]
            fine = others is not None and all(word in words(one, other) for one, other in product(group, others))
        groups.append(group if fine else None)
    few = all(len(objects.get(entry["class"], [])) < entry["count"] for entry in exclude)
    return few and all(group is not None for group in groups)


def words(one: Detection, other: Detection) -> set[str]:
    """How a box stands to another by the published rule."""
    offset = [a - b for a, b in zip(one.centre, other.centre, strict=True)]
    sizes = [a + b for a, b in zip(one.size, other.size, strict=True)]
    distance = math.hypot(*offset)
    if distance == 0:
        return set()
    dx, dy = (
        math.copysign(max(abs(off) - 0.1 * size, 0), off) / distance for off, size in zip(offset, sizes, strict=True)
    )
    told = {"left of": dx < -0.5, "right of": dx > 0.5, "above": dy < -0.5, "below": dy > 0.5}
    return {word for word, true in told.items() if true}


NAMES, COLOURS = ("dog", "cat", "car"), ("red", "blue")
detections = st.builds(
    found,
    st.sampled_from(NAMES),
    st.integers(0, 60).map(float),
    st.integers(0, 60).map(float),
    score=st.sampled_from((0.2, 0.5, 0.9, 0.95)),
    size=st.integers(1, 40).map(float),
    colour=st.sampled_from(COLOURS),
)


@st.composite
def metadata(draw) -> tuple[list[dict], list[dict]]:  # type: ignore[no-untyped-def,type-arg]
    names, include = draw(st.permutations(NAMES)), []
    for place, name in enumerate(names[: draw(st.integers(1, 3))]):
        entry = {"class": name, "count": draw(st.integers(1, 2))}
        if draw(st.booleans()):
            entry["color"] = draw(st.sampled_from(COLOURS))
        if place and draw(st.booleans()):
            entry["position"] = [draw(st.sampled_from(WORDS)), draw(st.integers(0, place - 1))]
        include.append(entry)
    exclude = [{"class": draw(st.sampled_from(NAMES)), "count": draw(st.integers(1, 3))}] if draw(st.booleans()) else []
    return include, exclude


@given(objects=st.lists(detections, max_size=8), wanted=metadata())
def test_the_strict_score_is_the_public_evaluation_where_each_class_has_one_entry(objects, wanted) -> None:  # type: ignore[no-untyped-def]
    include, exclude = wanted
    made = judged(objects, include, exclude)
    assert made.strict == correct(kept(objects, threshold=0.3, most=16, overlap=1.0), include, exclude)
    assert 0 <= made.soft <= 1
    assert made.strict == (made.soft == 1)


@given(one=detections, other=detections)
def test_a_thing_is_plainly_in_one_place_at_most(one: Detection, other: Detection) -> None:
    plain = Plain(least=6.0)
    told = [word for word in WORDS if plain.holds(word, one, other)]
    assert len(told) <= 2  # two on the very diagonal
    opposite = {"left of": "right of", "above": "below", "right of": "left of", "below": "above"}
    assert sorted(opposite[word] for word in told) == sorted(w for w in WORDS if plain.holds(w, other, one))
