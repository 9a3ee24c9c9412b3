"""Every requirement that this world's captions can express."""

from collections.abc import Iterator
from itertools import permutations, product

from .colour import COLOURS
from .requirement import KINDS, RELATIONS, Asked, Requirement
from .silhouette import SHAPES

COUNTS = (2, 3, 4)


def repertoire(kind: str) -> tuple[Requirement, ...]:
    """All requirements of one of `KINDS`, each once, in a fixed order."""
    return tuple(_BY_KIND[kind]())


def _single() -> Iterator[Requirement]:
    return (Requirement("single object", (Asked(shape),)) for shape in SHAPES)


def _two() -> Iterator[Requirement]:
    for first, second in permutations(SHAPES, 2):
        yield Requirement("two objects", (Asked(first), Asked(second)))


def _counting() -> Iterator[Requirement]:
    for count, colour, shape in product(COUNTS, (None, *COLOURS), SHAPES):
        yield Requirement("counting", (Asked(shape, colour),) * count)


def _colour() -> Iterator[Requirement]:
    return (Requirement("colour", (Asked(s, c),)) for c, s in product(COLOURS, SHAPES))


def _position() -> Iterator[Requirement]:
    colourings = ((None, None), *product(COLOURS, COLOURS))
    for (one, two), relation, (a, b) in product(colourings, RELATIONS, permutations(SHAPES, 2)):
        yield Requirement("position", (Asked(a, one), Asked(b, two)), relation)


def _attribution() -> Iterator[Requirement]:
    for (one, two), (a, b) in product(permutations(COLOURS, 2), product(SHAPES, SHAPES)):
        yield Requirement("colour attribution", (Asked(a, one), Asked(b, two)))


_BY_KIND = dict(zip(KINDS, (_single, _two, _counting, _colour, _position, _attribution), strict=True))
