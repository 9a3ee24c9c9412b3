import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.errors import DataError
from margrpo.worlds.imagenet import class_names
from margrpo.worlds.imagenet.naming import label_of, labels_of, spoken_names, with_article

ZOO = (("crane", "crane bird"), ("crane", "construction crane"), ("harp", "mouth organ"), ("harmonica", "mouth organ"))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (0, "tench"),
        (1, "goldfish"),
        (22, "bald eagle"),
        (134, "crane"),
        (207, "golden retriever"),
        (281, "tabby"),
        (388, "giant panda"),
        (517, "crane"),
        (817, "sports car"),
        (933, "cheeseburger"),
        (980, "volcano"),
        (999, "toilet tissue"),
    ],
)
def test_labels_stand_for_the_classes_that_models_of_imagenet_know(label: int, name: str) -> None:
    assert class_names()[label][0] == name


def test_the_labels_follow_the_order_of_the_synsets() -> None:
    lines = (files("margrpo.worlds.imagenet") / "classes.txt").read_text(encoding="utf-8").splitlines()
    synsets = [line.split("\t")[0] for line in lines if not line.startswith("#")]
    assert len(synsets) == len(class_names()) == 1000
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in synsets)
    assert synsets == sorted(set(synsets))
    assert (synsets[0], synsets[207], synsets[999]) == ("n01440764", "n02099601", "n15075141")


def test_every_name_is_clean() -> None:
    names = [name for own in class_names() for name in own]
    assert all(name and name == name.strip() and "," not in name and "_" not in name for name in names)
    assert class_names()[0] == ("tench", "Tinca tinca")


def test_wordnet_is_credited_in_the_file() -> None:
    assert (
        "WordNet 3.0, (c) 2006 by Princeton University"
        in ((files("margrpo.worlds.imagenet") / "classes.txt").read_text(encoding="utf-8").split("n01440764")[0])
    )


@pytest.mark.parametrize(
    ("which", "label"),
    [
        ("golden retriever", 207),
        ("Golden_Retriever", 207),
        ("tench", 0),
        ("Tinca tinca", 0),
        (" bathroom  tissue", 999),
    ],
)
def test_a_class_goes_by_any_of_its_names_in_any_case(which: str, label: int) -> None:
    assert label_of(which, class_names()) == label


def test_a_label_is_itself() -> None:
    assert [label_of(which, class_names()) for which in (0, 207, 999)] == [0, 207, 999]


def test_a_name_of_two_classes_is_that_of_the_one_it_is_the_commonest_name_of() -> None:
    assert label_of("harp", (("harmonica", "harp"), ("harp",))) == 1


@pytest.mark.parametrize(
    ("which", "says"),
    [
        (
            "crane",
            "class 'crane': 2 classes have that name; give the label, 134 (crane bird) or 517 (construction crane)",
        ),
        ("maillot", "class 'maillot': 2 classes have that name; give the label, 638 (maillot) or 639 (tank suit)"),
        ("panther", "class 'panther': 2 classes have that name; give the label, 286 (cougar) or 290 (jaguar)"),
        ("golden retreiver", "class 'golden retreiver': no class has that name; did you mean 'golden retriever' or "),
        ("retriever", "class 'retriever': no class has that name; did you mean 'flat-coated retriever' or "),
        (
            "qqq",
            "class 'qqq': no class has that name; there are 1000, such as 'tench', and each has a label too, 0 to 999",
        ),
        (1000, "class 1000: there are classes 0 to 999"),
        (-1, "class -1: there are classes 0 to 999"),
    ],
)
def test_what_names_no_class_or_several_is_refused_with_a_sentence(which: int | str, says: str) -> None:
    with pytest.raises(DataError) as said:
        label_of(which, class_names())
    assert str(said.value).startswith(says)


def test_classes_that_share_their_commonest_name_are_spoken_of_by_another() -> None:
    assert spoken_names(ZOO) == ("crane bird", "construction crane", "harp", "harmonica")
    spoken = spoken_names(class_names())
    assert (spoken[0], spoken[134], spoken[264], spoken[474]) == (
        "tench",
        "crane bird",
        "Cardigan Welsh corgi",
        "cardigan",
    )


def test_no_two_classes_of_imagenet_are_spoken_of_alike() -> None:
    assert len({name.casefold() for name in spoken_names(class_names())}) == 1000


@given(label=st.integers(0, 999))
def test_the_name_a_class_is_spoken_of_by_leads_back_to_it_unless_it_is_refused(label: int) -> None:
    try:
        found = label_of(spoken_names(class_names())[label], class_names())
    except DataError:
        assert label in (474, 638)
    else:
        assert found == label


@pytest.mark.parametrize(
    "words",
    [
        *("a dog", "an acoustic guitar", "an iPod", "an hourglass", "a hip", "a unicycle", "an umbrella", "an upright"),
        *("a European gallinule", "an eft", "a ewe", "a one-armed bandit", "a used car", "an unintended one"),
    ],
)
def test_the_article_is_the_one_that_is_spoken(words: str) -> None:
    assert with_article(words.partition(" ")[2]) == words


def test_everything_that_is_wrong_with_several_classes_is_said_at_once():
    with pytest.raises(DataError) as caught:
        labels_of(["harp", "dgo", 7], ZOO)
    said = str(caught.value)
    assert "class 'dgo': no class has that name" in said
    assert "class 7: there are classes" in said
