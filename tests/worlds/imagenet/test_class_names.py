import re
from importlib.resources import files

import pytest

from margrpo.worlds.imagenet import class_names


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
