"""The built canaries of a recipe."""

from collections.abc import Sequence

from margrpo.contracts import Canary, Monitor
from margrpo.declare import record
from margrpo.plugin.registry import registry
from margrpo.train.verdict.scorers import numbered


@record
class BuiltCanary:
    """A canary that has been built: its name in figures, its limits and its monitor."""

    name: str
    warn: float | None
    stop: float | None
    monitor: Monitor


def build_canaries(canaries: Sequence[Canary], device: str) -> tuple[BuiltCanary, ...]:
    """Build every canary under its name in the recipe, numbered if the name occurs twice."""
    names = numbered([registry().short_name("canary", each) for each in canaries])
    return tuple(
        BuiltCanary(name, each.warn, each.stop, each.build(device)) for name, each in zip(names, canaries, strict=True)
    )
