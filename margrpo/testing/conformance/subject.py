"""What a check looks at: one component, and what is needed to put it to work."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import attrs
import torch

from margrpo.contracts import Requiring
from margrpo.errors import MargrpoError
from margrpo.maths.dealing import Prompt, grouped
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.kinds import kind_of
from margrpo.plugin.registry import Registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.structure import settings_of
from margrpo.records import Prompts
from margrpo.testing import small


class BreachError(AssertionError):
    """A check that a component does not stand, as a sentence."""


class NoInstanceError(BreachError):
    """A component of which no instance can be made without an example."""


class NotApplicable(Exception):
    """A check that says nothing of this component, with the reason."""


def claim(holds: Any, otherwise: str) -> None:
    """Raise `BreachError` with the sentence unless it holds."""
    if not bool(holds):
        raise BreachError(otherwise)


def not_applicable(reason: str) -> NoReturn:
    """Leave a check out."""
    raise NotApplicable(reason)


@attrs.frozen(slots=False)
class Subject:
    """A component under test: its entry, the instance, prompts that it can read, and a folder of its own."""

    entry: Entry
    component: Any
    registry: Registry
    folder: Path
    asked: Sequence[str | Prompt] = small.TEXTS
    device: str = "cpu"

    @property
    def cls(self) -> type:
        """The component's class."""
        return type(self.component)

    @cached_property
    def prompts(self) -> Prompts:
        """Two groups of two images; a prompt that is given as its text gets a label and metadata."""
        return grouped([prompt_of(each, label) for label, each in enumerate(self.asked[:2])], 2)

    @cached_property
    def images(self) -> torch.Tensor:
        """Four images of random pixels, of a size that the small models draw."""
        return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def generator(self, seed: int = 0) -> torch.Generator:
        """A generator of the device."""
        return torch.Generator(self.device).manual_seed(seed)


def prompt_of(asked: str | Prompt, label: int) -> Prompt:
    """A prompt of which only the text may be given."""
    return asked if isinstance(asked, Prompt) else Prompt(asked, label, {"number": label})


Example = Any | Callable[[Path], Any]
Examples = Mapping[str, Example]


def specimen(
    entry: Entry, registry: Registry, folder: Path, examples: Examples, making: frozenset[str] = frozenset()
) -> Any:
    """An instance of a component: the example that is given, or one of its default settings.

    Required nested components are made in turn, by `nested`. Where another setting is required, an example must be
    given.
    """
    given = examples.get(entry.id)
    if given is not None:
        return given(folder) if callable(given) and not attrs.has(type(given)) else given
    cls, values = registry.load(entry), {}
    for key, field in settings_of(cls).items():
        if field.default is not attrs.NOTHING:
            continue
        kind = next(filter(None, map(kind_of, inner_types(field.type))), None)
        if kind is None:
            raise NoInstanceError(
                f"{entry.id} has no default for {key!r}, so no instance can be made; give one: "
                f'every_check(..., examples={{"{entry.id}": {cls.__name__}({key}=...)}})'
            )
        values[key] = nested(kind.name, key, entry, registry, folder, examples, making | {entry.id})
    try:
        made = cls(**values)
    except MargrpoError as error:
        raise BreachError(f"{entry.id} refuses its own default settings: {error}") from error
    lacking = made.problems() if callable(getattr(made, "problems", None)) else []
    if lacking:
        raise NoInstanceError(
            f"{entry.id} cannot be used with its default settings: {'; '.join(lacking)}; give an example: "
            f'every_check(..., examples={{"{entry.id}": {cls.__name__}(...)}})'
        )
    return made


def nested(
    kind: str, key: str, entry: Entry, registry: Registry, folder: Path, examples: Examples, making: frozenset[str]
) -> Any:
    """A component of this kind for the setting `key` of an entry: the first that can be made and has what it requires.

    Those of this library are tried first, and none that is being made already.
    """
    for inner in foremost(registry, kind):
        if inner.id in making:
            continue
        try:
            made = specimen(inner, registry, folder, examples, making)
            if isinstance(made, Requiring):
                made.require()
        except (BreachError, MargrpoError):
            continue
        return made
    raise NoInstanceError(
        f"{entry.id} requires {key!r}, and no {kind} can be made without settings; give an example: "
        f'every_check(..., examples={{"{entry.id}": {registry.load(entry).__name__}({key}=...)}})'
    )


def foremost(registry: Registry, kind: str) -> list[Entry]:
    """The entries of a kind, those of this library first."""
    return sorted(registry.entries(kind), key=lambda entry: registry.distribution(entry) != "margrpo")
