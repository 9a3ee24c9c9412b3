"""Every promise of every component, each as a case."""

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
    """One check of one component; calling it raises `BreachError`, or `NotApplicable` with the reason."""

    entry: Entry
    check: Check
    registry: Registry = attrs.field(repr=False)
    examples: Examples = attrs.field(repr=False)
    prompts: Sequence[str | Prompt] = attrs.field(repr=False)

    @property
    def id(self) -> str:
        """As in reward.shapes-leaves_global_rng_alone."""
        return f"{self.entry.id}-{self.check.__name__}"

    def __call__(self) -> None:
        """Validation."""
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
    """Each check of each component of a plugin, by the plugin's name or that of its distribution; of all without one.

    `examples` are instances by id, or functions that make one from a folder: for components that have no default, or
    whose default is too large for a test. Policies and rewards must be able to read the `prompts`,
    two or more: texts, or what a file of prompts would give where a reward reads metadata.
    """
    found = among or registry()
    for entry in entries_of(plugin, found):
        for check in checks_of(entry.kind):
            yield Promise(entry, check, found, examples or {}, prompts)


def checks_of(kind: str) -> tuple[Check, ...]:
    """What is asked of a component of this kind; of a plugin's own kind, what is asked of all."""
    return (*every.CHECKS, *(every.OF_RESULTS if kind in WORK else ()), *OF_KIND.get(kind, ()))


def entries_of(plugin: str | None, found: Registry) -> list[Entry]:
    """The entries of a plugin, or a `PluginError` where there is no such plugin that works."""
    if plugin is None:
        return found.entries()
    mine = [each for each in found.plugins if plugin in (each.name, each.distribution)]
    if not mine:
        why = [str(failure) for failure in found.failures if plugin in (failure.plugin, failure.distribution)]
        names = ", ".join(each.name for each in found.plugins)
        raise PluginError("; ".join(why) or f"there is no plugin {plugin!r}; there are {names}")
    return sorted((entry for each in mine for entry in each.entries), key=lambda entry: entry.id)
