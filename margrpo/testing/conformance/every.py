"""The promises of components as cases of a test."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from margrpo.errors import MargrpoError, PluginError
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.loading import described
from margrpo.plugin.registry import Registry, registry
from margrpo.records import Prompt
from margrpo.testing import small
from margrpo.testing.conformance.checks import costs, every, model, rollout, run, update, verdict
from margrpo.testing.conformance.subject import BreachError, Examples, Maker, Subject
from margrpo.testing.conformance.work import WORK

Check = Callable[[Subject], None]
OF_STAGE: dict[str, tuple[Check, ...]] = {
    **model.CHECKS,
    **rollout.CHECKS,
    **verdict.CHECKS,
    **update.CHECKS,
    **run.CHECKS,
}
OF_KIND = {kind: (*checks, *costs.CHECKS.get(kind, ())) for kind, checks in OF_STAGE.items()}


@attrs.frozen
class Promise:
    """A check of a component; a call raises `BreachError` if it fails, or `NotApplicable` with the reason."""

    entry: Entry
    check: Check
    registry: Registry = attrs.field(repr=False)
    examples: Examples = attrs.field(repr=False)
    prompts: Sequence[str | Prompt] = attrs.field(repr=False)

    @property
    def id(self) -> str:
        """The id of the case, such as reward.shapes-leaves_global_rng_alone."""
        return f"{self.entry.id}-{self.check.__name__}"

    def __call__(self) -> None:
        """Run the check."""
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            component = Maker(self.registry, place, self.examples).specimen(self.entry)
            try:
                self.check(Subject(self.entry, component, self.registry, place, self.prompts))
            except MargrpoError as error:
                raise BreachError(described(error)) from error


def cases(
    plugin: str | None = None,
    *,
    examples: Examples | None = None,
    prompts: Sequence[str | Prompt] = small.TEXTS,
    among: Registry | None = None,
) -> Iterator[Promise]:
    """Each check of each component of a plugin.

    - `plugin`: name of the plugin or of its distribution; None means all plugins.
    - `examples`: instances by id, or functions that make one from a folder, for components without a default, or whose
      default is too large for a test.
    - `prompts`: two or more prompts that policies and rewards can read: texts, or `Prompt`s with metadata.
    """
    found = among or registry()
    for entry in entries_of(plugin, found):
        for check in checks_of(entry.kind):
            yield Promise(entry, check, found, examples or {}, prompts)


def checks_of(kind: str) -> tuple[Check, ...]:
    """The checks of a kind of component; a plugin's own kind gets only the general checks."""
    return (*every.CHECKS, *(every.OF_RESULTS if kind in WORK else ()), *OF_KIND.get(kind, ()))


def entries_of(plugin: str | None, found: Registry) -> list[Entry]:
    """The entries of a plugin; `PluginError` if the plugin is unknown or broken."""
    if plugin is None:
        return found.entries()
    mine = [each for each in found.plugins if plugin in (each.name, each.distribution)]
    if not mine:
        why = [str(failure) for failure in found.failures if plugin in (failure.plugin, failure.distribution)]
        names = ", ".join(each.name for each in found.plugins)
        raise PluginError("; ".join(why) or f"there is no plugin {plugin!r}; there are {names}")
    return sorted((entry for each in mine for entry in each.entries), key=lambda entry: entry.id)
