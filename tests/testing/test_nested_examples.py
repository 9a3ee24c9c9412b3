"""Components that the kit puts into others, where a setting requires one."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from margrpo import Entry, component, hookimpl, setting
from margrpo.contracts import Reward
from margrpo.errors import RewardError
from margrpo.records import Traits
from margrpo.testing.conformance import alone
from margrpo.testing.conformance.subject import Maker, NoInstanceError


@component
class Absent:
    """A reward that comes first by its name, and whose weights are not here."""

    weight: float = 1.0
    traits = Traits()

    def require(self) -> None:
        raise RewardError("its weights are not here")

    def build(self, device: str) -> Any: ...


@component
class Around:
    """A reward that requires another, and would fit into itself."""

    of: Reward = setting(meaning="the other")
    weight: float = 1.0
    traits = Traits()

    def build(self, device: str) -> Any: ...


ENTRIES = [
    Entry("reward.aaa", f"{__name__}:Absent", "absent"),
    Entry("reward.aab", f"{__name__}:Around", "around"),
]


def made(*entries: Entry, examples: dict[str, Any] | None = None) -> Any:
    brought = ModuleType("nesting")
    brought.margrpo_components = hookimpl(lambda: list(entries))  # type: ignore[attr-defined]
    return Maker(alone(brought), Path(), examples or {}).specimen(entries[-1])


def test_what_is_put_into_a_component_is_the_librarys_own_and_has_what_it_requires() -> None:
    inner = made(*ENTRIES).of
    assert type(inner).__module__.startswith("margrpo.components.reward")


@component
class Weighty:
    """A reward that is of no use without a file of weights."""

    checkpoint: str = setting("", "its weights")
    weight: float = 1.0
    traits = Traits()

    def problems(self) -> list[str]:
        return [] if self.checkpoint else ["checkpoint is missing"]

    def build(self, device: str) -> Any: ...


def test_one_whose_default_settings_are_of_no_use_needs_an_example() -> None:
    entry = Entry("reward.weighty", f"{__name__}:Weighty", "weighty")
    with pytest.raises(NoInstanceError, match=r"default settings: checkpoint is missing; give one: every_check"):
        made(entry)
    assert made(entry, examples={"reward.weighty": Weighty(checkpoint="a")}).checkpoint == "a"


def test_another_plugins_component_is_not_put_in_where_the_library_has_one() -> None:
    entries = [Entry("reward.aaa", f"{__name__}:Weighty", "w"), ENTRIES[1]]
    first = Entry("reward.aaa0", f"{__name__}:Sound", "sound")
    assert type(made(first, *entries).of).__module__.startswith("margrpo.components.reward")


@component
class Sound:
    """A reward that requires nothing."""

    weight: float = 1.0
    traits = Traits()

    def build(self, device: str) -> Any: ...
