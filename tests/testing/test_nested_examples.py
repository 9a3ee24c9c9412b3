"""Components that the kit puts into others, where a setting requires one."""

from pathlib import Path
from types import ModuleType
from typing import Any

from margrpo import Entry, component, hookimpl, setting
from margrpo.contracts import Reward
from margrpo.errors import RewardError
from margrpo.records import Traits
from margrpo.testing.conformance import alone
from margrpo.testing.conformance.subject import specimen


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
    return specimen(entries[-1], alone(brought), Path(), examples or {})


def test_what_is_put_into_a_component_is_the_librarys_own_and_has_what_it_requires() -> None:
    inner = made(*ENTRIES).of
    assert type(inner).__module__.startswith("margrpo.components.reward")
