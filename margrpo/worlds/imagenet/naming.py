"""Names of classes: from a name or a number to a label, and from a label to words for a text."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches

from margrpo.errors import DataError

Names = Sequence[Sequence[str]]
"""Every name of every class, in the order of labels, the commonest name first."""

NEAR = 4
_AN = re.compile(r"(?!eu|ewe|one\b|once|u[st][aeiou]|uk|uni(?!n))[aeiou]|hour|honest|heir", re.IGNORECASE)


def key(name: str) -> str:
    """The form in which names are compared: lower case, spaces for underscores."""
    return " ".join(name.replace("_", " ").split()).casefold()


def label_of(which: int | str, names: Names) -> int:
    """The label of a number or a name; an unknown or ambiguous name raises `DataError`.

    A name that several classes have belongs to the class whose commonest name it is, if there is exactly one.
    """
    if isinstance(which, int):
        if not 0 <= which < len(names):
            raise DataError(f"class {which}: there are classes 0 to {len(names) - 1}")
        return which
    found = [label for label, own in enumerate(names) if key(which) in map(key, own)]
    if not found:
        raise DataError(f"class {which!r}: no class has that name; {near(which, names)}")
    first = [label for label in found if key(names[label][0]) == key(which)]
    label, *others = first or found
    if others:
        spoken = spoken_names(names)
        choices = " or ".join(f"{each} ({spoken[each]})" for each in (label, *others))
        raise DataError(f"class {which!r}: {len(others) + 1} classes have that name; give the label, {choices}")
    return label


def labels_of(classes: Sequence[int | str], names: Names) -> list[int]:
    """The label of each of `classes`; `DataError` with all problems."""
    labels, problems = [], []
    for which in classes:
        try:
            labels.append(label_of(which, names))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))
    return labels


def near(name: str, names: Names) -> str:
    """A suggestion for an unknown name: names that contain it, then names of similar spelling."""
    known = {key(each): each for own in names for each in own}
    longer = [each for each in known if f" {key(name)} " in f" {each} "]
    alike = get_close_matches(key(name), known, n=NEAR)
    found = [repr(known[each]) for each in dict.fromkeys([*longer, *alike])]
    if found:
        return f"did you mean {' or '.join(found[:NEAR])}?"
    return f"there are {len(names)}, such as {names[0][0]!r}, and each has a label too, 0 to {len(names) - 1}"


def spoken_names(names: Names) -> tuple[str, ...]:
    """A name for each class: the commonest that is not also the commonest of another class, or else the commonest."""
    times = Counter(key(own[0]) for own in names)
    shared = {each for each, count in times.items() if count > 1}
    return tuple(next((each for each in own if key(each) not in shared), own[0]) for own in names)


def with_article(name: str) -> str:
    """The name after "a" or "an"."""
    return f"{'an' if _AN.match(name) else 'a'} {name}"
