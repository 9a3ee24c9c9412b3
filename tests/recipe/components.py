"""A plugin of small components for what the built-in ones do not have."""

from typing import Any, Literal

import attrs

from margrpo import Entry, MargrpoError, component, hookimpl, setting
from margrpo.components.sampler import Ddpm
from margrpo.contracts import Selector
from margrpo.records import Extent, Needs


@component
class Widest:
    """A selector with a setting of every sort."""

    mode: Literal["soft", "hard"] = setting("soft", "how")
    limit: int | None = setting(None, "how many, or as many as there are")
    shares: dict[str, float] = setting(attrs.Factory(dict), "a share of each kind")
    among: tuple[Selector, ...] = setting((), "candidates")
    box: tuple[int, int] = setting((1, 2), "two corners")

    def needs(self) -> Needs:
        return Needs()

    def extent(self, tokens: int) -> Extent:
        return Extent()

    def select(self, rollout: Any, step: Any) -> Any:
        return step.unknown


@component
class Refusing:
    """A selector whose settings can be sound one by one and wrong together."""

    low: int = setting(0, "from")
    high: int = setting(1, "to")

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise MargrpoError(f"low = {self.low} is above high = {self.high}")

    def needs(self) -> Needs:
        return Needs()

    def extent(self, tokens: int) -> Extent:
        return Extent()

    def select(self, rollout: Any, step: Any) -> Any:
        return step.unknown


@component
class Still(Ddpm):
    """A sampler that never draws noise."""

    def has_density(self, t: int) -> bool:
        return False


@hookimpl
def margrpo_components() -> list[Entry]:
    return [
        Entry("selector.widest", f"{__name__}:Widest"),
        Entry("selector.refusing", f"{__name__}:Refusing"),
        Entry("sampler.still", f"{__name__}:Still"),
    ]


@hookimpl
def margrpo_fit(recipe: Any) -> list[str]:
    return ["run.seed = 13 is unlucky; take another"] if recipe.run.seed == 13 else []
