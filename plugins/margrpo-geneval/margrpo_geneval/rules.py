"""GenEval's rules: from the objects that were found to a score   (Ghosh et al. 2023, section 3).

Detections are filtered class by class: by a threshold, a limit and their overlaps. Then every entry must have its
count, its colour and its place, and an unwanted class must not be there too often. Entries of one class share its
objects, and an object serves only one entry. With one entry per class this is the public evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from statistics import fmean

from margrpo import record
from margrpo_geneval.contracts import Detection
from margrpo_geneval.metadata import Asked, Wanted

Objects = Mapping[str, Sequence[Detection]]
Colours = Callable[[Sequence[Detection]], Sequence[str | None]]
Holds = Callable[[str, Detection, Detection], bool]


@record
class Score:
    """The strict and the soft score of an image.

    - `strict`: whether all entries are fulfilled.
    - `soft`: mean over the entries of the fulfilled share of their count, colour and place, in [0, 1]; divided by one
      more than the number of excess objects of unwanted classes; 1 exactly if `strict`. It is not part of GenEval.
    """

    strict: bool
    soft: float


def kept(found: Sequence[Detection], *, threshold: float, most: int, overlap: float) -> dict[str, list[Detection]]:
    """The objects of each class with scores above `threshold`, the surest first, at most `most`.

    An object that overlaps a surer one of its class by intersection over union `overlap` is dropped; with 1 none is.
    """
    sure = sorted((each for each in found if each.score > threshold), key=lambda each: -each.score)
    by_name: dict[str, list[Detection]] = {}
    for each in sure:
        by_name.setdefault(each.name, []).append(each)
    return {name: apart(objects[:most], overlap) for name, objects in by_name.items()}


def apart(objects: Sequence[Detection], overlap: float) -> list[Detection]:
    """The objects, surest first, without objects that overlap an earlier one."""
    chosen: list[Detection] = []
    for each in objects:
        if overlap >= 1 or all(shared(each, other) < overlap for other in chosen):
            chosen.append(each)
    return chosen


def shared(one: Detection, other: Detection) -> float:
    """Intersection over union of two boxes."""
    width = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    height = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    both = max(width, 0.0) * max(height, 0.0)
    area = one.size[0] * one.size[1] + other.size[0] * other.size[1] - both
    return both / area if area > 0 else 0.0


def score(objects: Objects, asked: Asked, colours: Colours, holds: Holds) -> Score:
    """The score of found objects against a requirement."""
    free = {name: list(objects.get(name, ()))[: total(asked, name)] for name in asked.names}
    first_painted = sorted(range(len(asked.include)), key=lambda place: asked.include[place].colour is None)
    right = {place: taken(asked.include[place], free, colours) for place in first_painted}
    served = {place: filled(asked.include[place], right[place], free) for place in first_painted}
    shares = [share(each, served[place], served[each.reference], holds) for place, each in enumerate(asked.include)]
    soft = fmean(shares) * prod(room(len(objects.get(each.name, ())), each.count) for each in asked.exclude)
    return Score(soft == 1, soft)


def room(found: int, limit: int) -> float:
    """1 if `found` is below `limit`, and less the more objects exceed it."""
    return 1 / (1 + max(0, found - limit + 1))


def total(asked: Asked, name: str) -> int:
    """The number of required objects of a class over all entries."""
    return sum(each.count for each in asked.include if each.name == name)


@record
class Served:
    """The objects that an entry has got, and the number of objects of its colour."""

    group: Sequence[Detection]
    right: int


def taken(wanted: Wanted, free: dict[str, list[Detection]], colours: Colours) -> list[Detection]:
    """The free objects of an entry's colour (or of any colour, if it has none) that the entry takes."""
    objects = free[wanted.name]
    named = colours(objects) if wanted.colour else [None] * len(objects)
    right = [place for place, colour in enumerate(named) if colour == wanted.colour][: wanted.count]
    free[wanted.name] = [each for place, each in enumerate(objects) if place not in right]
    return [objects[place] for place in right]


def filled(wanted: Wanted, right: Sequence[Detection], free: dict[str, list[Detection]]) -> Served:
    """The objects of an entry after its missing count is filled with free objects of other colours."""
    missing, left = wanted.count - len(right), free[wanted.name]
    free[wanted.name] = left[missing:]
    return Served([*right, *left[:missing]], len(right))


def share(wanted: Wanted, served: Served, reference: Served, holds: Holds) -> float:
    """The fulfilled share of an entry's count, colour and place."""
    parts = [len(served.group) / wanted.count]
    if wanted.colour:
        parts.append(served.right / wanted.count)
    if wanted.relation is not None:
        parts.append(in_place(wanted, served.group, reference.group, holds))
    return fmean(parts)


def in_place(wanted: Wanted, group: Sequence[Detection], reference: Sequence[Detection], holds: Holds) -> float:
    """The share of pairs of an entry's objects and its reference's objects in the right relation; 0 without pairs."""
    word = wanted.relation
    assert word is not None
    pairs = [holds(word, one, other) for one in group for other in reference]
    return fmean(pairs) if pairs else 0.0
