"""GenEval-style prompts of six kinds over any classes, without repeats."""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any

from margrpo import MargrpoError
from margrpo_geneval.colours import PALETTE
from margrpo_geneval.metadata import WORDS

NUMBERS = {2: "two", 3: "three", 4: "four"}
CLASSES = (
    *("person", "bicycle", "car", "bus", "train", "boat", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *(
        "elephant",
        "bear",
        "zebra",
        "giraffe",
        "backpack",
        "umbrella",
        "suitcase",
        "kite",
        "skateboard",
        "bottle",
        "cup",
    ),
    *("fork", "knife", "spoon", "bowl", "banana", "apple", "orange", "broccoli", "carrot", "pizza", "cake", "chair"),
    *("couch", "bed", "toilet", "laptop", "oven", "toaster", "book", "clock", "vase", "toothbrush"),
)
"""Some of COCO's classes, by their names there."""


def prompts(count: int, seed: int, classes: Sequence[str] = CLASSES) -> list[dict[str, Any]]:
    """Draw `count` distinct prompts with their metadata, the kinds in turn; a function of `seed`."""
    drawn = random.Random(seed)
    kinds = [shuffled(kind(classes), drawn) for kind in (single, two, counting, colours, position, attribution)]
    found: list[dict[str, Any]] = []
    while kinds and len(found) < count:
        kinds = [kind for kind in kinds if kind]
        found += [kind.pop() for kind in kinds]
    if len(found) < count:
        raise MargrpoError(
            f"{len(classes)} classes make {len(found)} prompts, not {count}; give more classes, or ask for fewer"
        )
    return found[:count]


def shuffled(every: Iterator[dict[str, Any]], drawn: random.Random) -> list[dict[str, Any]]:
    """All prompts of a kind in a random order."""
    listed = list(every)
    drawn.shuffle(listed)
    return listed


def single(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for one object."""
    for name in classes:
        yield prompt("single_object", f"a photo of {an(name)}", [one(name)])


def two(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for two objects of different classes."""
    for first, second in itertools.permutations(classes, 2):
        yield prompt("two_object", f"a photo of {an(first)} and {an(second)}", [one(first), one(second)])


def counting(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for exactly two to four objects of a class."""
    for name, (number, word) in itertools.product(classes, NUMBERS.items()):
        text = f"a photo of {word} {plural(name)}"
        yield prompt("counting", text, [one(name, count=number)], [one(name, count=number + 1)])


def colours(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for one object of a colour."""
    for name, colour in itertools.product(classes, PALETTE):
        yield prompt("colors", f"a photo of {an(colour)} {name}", [one(name, color=colour)])


def position(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for an object beside another one, in the order of the text."""
    for first, second in itertools.permutations(classes, 2):
        for word in WORDS:
            include = [one(first), one(second, position=[word, 0])]
            yield prompt("position", f"a photo of {an(second)} {word} {an(first)}", include)


def attribution(classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Prompts for two objects of different classes and colours."""
    for (first, second), (a, b) in itertools.product(
        itertools.permutations(classes, 2), itertools.permutations(PALETTE, 2)
    ):
        include = [one(first, color=a), one(second, color=b)]
        yield prompt("color_attr", f"a photo of {an(a)} {first} and {an(b)} {second}", include)


def prompt(
    tag: str, text: str, include: list[dict[str, Any]], exclude: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """A prompt as a line of the public file."""
    return {"text": text, "tag": tag, "include": include, **({"exclude": list(exclude)} if exclude else {})}


def one(name: str, *, count: int = 1, **more: Any) -> dict[str, Any]:
    """An entry of the metadata."""
    return {"class": name, "count": count, **more}


def an(word: str) -> str:
    """A word with its article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def plural(word: str) -> str:
    """The plural of a word."""
    known = {"person": "people", "knife": "knives", "sheep": "sheep", "skis": "skis", "scissors": "scissors"}
    if word in known:
        return known[word]
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"
