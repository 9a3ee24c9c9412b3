"""Prompts that name a class, for policies that are conditioned on labels and rewards that read texts."""

import re
from functools import cached_property
from hashlib import sha256

from margrpo.declare import Check, at_least, between, component, positive, setting
from margrpo.errors import DataError
from margrpo.maths.dealing import deal
from margrpo.records import Prompt, Prompts, grouped
from margrpo.worlds import imagenet
from margrpo.worlds.imagenet.naming import Names, key, label_of, labels_of, spoken_names, with_article

_PLACE = re.compile(r"\{(.*?)\}")
_each_once = Check(
    lambda names: all(map(key, names)) and len(set(map(key, names))) == len(names),
    "names that are not blank and differ from one another in more than case",
    {"uniqueItems": True},
)
_with_a_place = Check(
    lambda text: bool(found := _PLACE.findall(text)) and set(found) <= {"name", "a name"},
    'a text with the place "{name}" or "{a name}" and no other',
    {"pattern": r"\{(a )?name\}"},
)


@component
class Classes:
    """Classes by name, as prompts with label, text and metadata {"name": …}; a class is held out as a whole.

    The held-out classes depend on the names alone. Held-out prompts go through the held-out classes in a scattered
    order, then again, so that the first few prompts belong to as many classes.
    """

    names: tuple[str, ...] = setting(
        (), "a name for each class in the order of labels; ImageNet's if empty", check=_each_once
    )
    template: str = setting(
        "a photo of {a name}", 'text of a prompt; "{a name}" puts a or an before the name', check=_with_a_place
    )
    classes: tuple[int | str, ...] = setting((), "labels or names of the classes to draw and to hold out; all if empty")
    prompts: int = setting(4, "prompts per step", check=positive)
    group: int = setting(8, "images per prompt", check=positive)
    held_out_share: float = setting(
        0.1,
        "share of the classes to hold out; 0 measures the trained classes, with noise of their own",
        check=between(0, 1),
    )
    held_out_images: int = setting(1, "held-out images of each class", check=at_least(1))

    def require(self) -> None:
        """Find the classes by their names."""
        assert self._split

    def draw(self, step: int, seed: int) -> Prompts:
        """The classes of a step; a class comes again only after all classes have come."""
        train, _ = self._split
        chosen = deal(step, seed, count=len(train), per_step=self.prompts)
        return grouped([self.prompt(train[i]) for i in chosen], self.group)

    def held_out(self) -> Prompts:
        """Every held-out class once, then each class again, `held_out_images` times in all."""
        return grouped([self.prompt(label) for label in self._split[1] * self.held_out_images], 1)

    def labels(self) -> tuple[int, ...]:
        """All labels that are drawn or held out, in ascending order; `DataError` if `classes` are wrong."""
        train, held_out = self._split
        return tuple(sorted({*train, *held_out}))

    def of_class(self, which: int | str) -> Prompt:
        """The prompt of a label or a name, in `classes` or not; an unknown class raises `DataError`."""
        return self.prompt(label_of(which, self._names))

    def prompt(self, label: int) -> Prompt:
        """The prompt of a label."""
        name = self._spoken[label]
        words = {"name": name, "a name": with_article(name)}
        return Prompt(_PLACE.sub(lambda place: words[place[1]], self.template), label, {"name": name})

    @cached_property
    def _names(self) -> Names:
        return tuple((name,) for name in self.names) or imagenet.class_names()

    @cached_property
    def _spoken(self) -> tuple[str, ...]:
        return spoken_names(self._names)

    @cached_property
    def _split(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Training and held-out labels, at least one of each."""
        labels = labels_of(self.classes, self._names) if self.classes else list(range(len(self._names)))
        twice = [label for label in labels if labels.count(label) > 1] if self.classes else []
        if twice:
            raise DataError(f"class {twice[0]} ({self._spoken[twice[0]]}): is listed twice; keep it once")
        scattered = tuple(sorted(labels, key=lambda label: sha256(key(self._spoken[label]).encode()).digest()))
        if self.held_out_share == 0:
            return tuple(sorted(labels)), scattered
        if len(labels) < 2:
            raise DataError("there is 1 class, of which none can be held out; add classes or set held_out_share = 0")
        count = min(max(1, round(self.held_out_share * len(labels))), len(labels) - 1)
        return tuple(sorted(scattered[count:])), scattered[:count]
