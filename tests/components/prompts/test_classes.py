from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.prompts.classes import Classes
from margrpo.declare import SettingError
from margrpo.errors import DataError
from margrpo.worlds.imagenet import class_names
from margrpo.worlds.imagenet.naming import spoken_names

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def test_a_prompt_has_the_label_the_text_and_the_name() -> None:
    drawn = Classes(classes=("golden retriever", 402), prompts=1, group=2, held_out_share=0).draw(0, seed=0)
    known = {207: ("a photo of a golden retriever", "golden retriever")}
    known[402] = ("a photo of an acoustic guitar", "acoustic guitar")
    assert drawn.label.tolist() in ([207, 207], [402, 402])
    text, name = known[drawn.label[0].item()]
    assert drawn.text == (text, text)
    assert drawn.metadata == ({"name": name}, {"name": name})
    assert drawn.keys == ((0, 0), (0, 1))


def test_the_template_may_leave_the_article_out() -> None:
    assert Classes(template="{name}, seen from above; {a name}").of_class("airliner").text == (
        "airliner, seen from above; an airliner"
    )


def test_names_may_be_ones_own() -> None:
    source = Classes(names=DIGITS, template="the digit {name}", held_out_share=0)
    assert source.of_class("Seven").text == "the digit seven"
    assert sorted(source.held_out().label.tolist()) == list(range(10))


@given(seed=st.integers(0, 99), step=st.integers(0, 10**6), share=st.floats(0.01, 0.99))
def test_no_class_is_both_trained_on_and_held_out_and_the_seed_does_not_change_which(
    seed: int, step: int, share: float
) -> None:
    source = Classes(names=DIGITS, prompts=9, group=1, held_out_share=share)
    held_out = set(source.held_out().label.tolist())
    trained = {label for i in range(10) for label in source.draw(step + i, seed).label.tolist()}
    assert held_out
    assert trained == set(range(10)) - held_out


def test_every_class_comes_before_any_comes_again() -> None:
    source = Classes(names=DIGITS, prompts=3, group=1, held_out_share=0.1)
    drawn = [label for step in range(6) for label in source.draw(step, seed=5).label.tolist()]
    assert set(Counter(drawn).values()) == {2}
    assert len(set(drawn[:9])) == 9


def test_the_order_of_classes_does_not_change_which_are_held_out() -> None:
    one, other = Classes(classes=(1, 2, 3, 4, 5)), Classes(classes=(5, 4, 3, 2, 1))
    assert one.held_out().text == other.held_out().text


def test_a_tenth_of_imagenet_is_held_out_and_the_first_few_are_scattered() -> None:
    labels = Classes().held_out().label.tolist()
    assert len(set(labels)) == len(labels) == 100
    assert len({label // 250 for label in labels[:16]}) == 4


def test_held_out_images_go_through_the_classes_before_any_comes_again() -> None:
    held_out = Classes(names=DIGITS, held_out_share=0, held_out_images=3).held_out()
    labels = held_out.label.tolist()
    assert labels == labels[:10] * 3
    assert len(set(labels[:10])) == 10
    assert len(set(held_out.keys)) == 30


def test_a_class_outside_those_drawn_can_be_asked_for() -> None:
    assert Classes(classes=(1, 2)).of_class(207).metadata == {"name": "golden retriever"}


def test_texts_tell_all_thousand_classes_apart() -> None:
    source = Classes()
    texts = {source.of_class(label).text for label in range(1000)}
    assert len(texts) == len(class_names()) == len(spoken_names(class_names()))


@pytest.mark.parametrize(
    ("classes", "share", "says"),
    [
        (("crane", 5), 0.1, "class 'crane': 2 classes have that name; give the label, 134 (crane bird) or 517"),
        (("golden retreiver", 5), 0.1, "class 'golden retreiver': no class has that name; did you mean 'golden retri"),
        ((1000,), 0.0, "class 1000: there are classes 0 to 999"),
        ((207, "golden retriever"), 0.1, "class 207 (golden retriever): is listed twice; keep it once"),
        ((207,), 0.1, "there is 1 class, of which none can be held out; add classes or set held_out_share = 0"),
    ],
)
def test_classes_that_cannot_be_drawn_are_refused_with_a_sentence(
    classes: tuple[int | str, ...], share: float, says: str
) -> None:
    with pytest.raises(DataError) as said:
        Classes(classes=classes, held_out_share=share).require()
    assert str(said.value).startswith(says)


@pytest.mark.parametrize("template", ["a photo", "a photo of {nmae}", "{name} in {colour}", "{}"])
def test_a_template_without_the_name_or_with_another_place_is_refused(template: str) -> None:
    with pytest.raises(SettingError, match=r'must be a text with the place "\{name\}" or "\{a name\}" and no other'):
        Classes(template=template)


@pytest.mark.parametrize("names", [("one", "One"), ("one", " ")])
def test_names_that_are_blank_or_alike_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SettingError, match="must be names that are not blank and differ"):
        Classes(names=names)
