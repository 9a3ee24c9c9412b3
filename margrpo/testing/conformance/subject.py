"""The subject of a check: a component, and the inputs to put it to work."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import attrs
import torch

from margrpo.errors import MargrpoError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.registry import Registry
from margrpo.recipe.leaf import inner_types
from margrpo.recipe.requirements import require_all
from margrpo.recipe.structure import settings_of
from margrpo.records import Prompt, Prompts, grouped
from margrpo.testing import small


class BreachError(AssertionError):
    """A promise that a component breaks, as a sentence."""


class NoInstanceError(BreachError):
    """A component that cannot be made without an example."""


class NotApplicable(Exception):
    """The reason why a check does not apply to a component."""


def claim(holds: Any, otherwise: str) -> None:
    """Raise `BreachError` with the sentence `otherwise` unless `holds`."""
    if not bool(holds):
        raise BreachError(otherwise)


def not_applicable(reason: str) -> NoReturn:
    """Skip a check for `reason`."""
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
        """Prompts of two groups of two images; a prompt given as text gets a label and metadata."""
        return grouped([prompt_of(each, label) for label, each in enumerate(self.asked[:2])], 2)

    @cached_property
    def images(self) -> torch.Tensor:
        """Four images of random pixels, of a size that the small models draw."""
        return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def generator(self, seed: int = 0) -> torch.Generator:
        """A generator on the subject's device."""
        return torch.Generator(self.device).manual_seed(seed)


def prompt_of(asked: str | Prompt, label: int) -> Prompt:
    """The prompt, made from a text if only a text is given."""
    return asked if isinstance(asked, Prompt) else Prompt(asked, label, {"number": label})


Example = Any | Callable[[Path], Any]
Examples = Mapping[str, Example]


@attrs.frozen
class Maker:
    """Makes instances of a registry's components from examples, or else with default settings."""

    registry: Registry
    folder: Path
    examples: Examples

    def specimen(self, entry: Entry, making: frozenset[str] = frozenset()) -> Any:
        """An instance of an entry; required nested components are made too, except those in `making`.

        An example must be given if another setting is required, or if the default settings cannot be used.
        """
        given = self.examples.get(entry.id)
        if given is not None:
            return given(self.folder) if callable(given) and not attrs.has(type(given)) else given
        cls, values = self.registry.load(entry), {}
        for key, field in settings_of(cls).items():
            if field.default is attrs.NOTHING:
                kind = next(filter(None, map(self.registry.kinds.of, inner_types(field.type))), None)
                values[key] = self.nested(kind.name, making | {entry.id}) if kind is not None else None
                if values[key] is None:
                    raise wanting(entry, cls, f"has no default for {key!r}, so no instance can be made", f"{key}=...")
        try:
            made = cls(**values)
        except MargrpoError as error:
            raise BreachError(f"{entry.id} refuses its own default settings: {error}") from error
        lacking = made.problems() if callable(getattr(made, "problems", None)) else []
        if lacking:
            raise wanting(entry, cls, f"cannot be used with its default settings: {'; '.join(lacking)}", "...")
        return made

    def nested(self, kind: str, making: frozenset[str]) -> Any:
        """The first component of a kind that can be made and has its requirements; built-in components come first."""
        for entry in foremost(self.registry, kind):
            with suppress(BreachError, MargrpoError):  # the next may do
                if entry.id not in making:
                    made = self.specimen(entry, making)
                    require_all(made)
                    return made
        return None


def wanting(entry: Entry, cls: type, trouble: str, settings: str) -> NoInstanceError:
    """An error that asks for an example, and shows one."""
    example = f'every_check(..., examples={{"{entry.id}": {cls.__name__}({settings})}})'
    return NoInstanceError(f"{entry.id} {trouble}; give one: {example}")


def foremost(registry: Registry, kind: str) -> list[Entry]:
    """The entries of a kind; built-in entries come first."""
    return sorted(registry.entries(kind), key=lambda entry: registry.distribution(entry) != "margrpo")
