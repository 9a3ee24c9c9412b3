"""The canaries of a run: what nothing is trained on, measured at each look."""

from collections.abc import Sequence

from margrpo.contracts import Canary, Monitor
from margrpo.declare import record
from margrpo.errors import MargrpoError, RewardError
from margrpo.plugin.loading import described
from margrpo.plugin.registry import registry
from margrpo.records import CanaryInputs
from margrpo.train.verdict.scorers import numbered


@record
class BuiltCanary:
    """A canary that has been built."""

    name: str
    warn: float | None
    stop: float | None
    monitor: Monitor


@record
class CanaryReport:
    """What the canaries say: figures, sentences of those that are beyond their warning, and why the run must end."""

    figures: dict[str, float]
    warnings: tuple[str, ...]
    end: str | None


NO_CANARIES = CanaryReport({}, (), None)


def build_canaries(canaries: Sequence[Canary], device: str) -> tuple[BuiltCanary, ...]:
    """Every canary with its name in the recipe, numbered where it occurs twice."""
    names = numbered([registry().short_name("canary", each) for each in canaries])
    return tuple(
        BuiltCanary(name, each.warn, each.stop, each.build(device)) for name, each in zip(names, canaries, strict=True)
    )


def drift_of(canary: BuiltCanary, inputs: CanaryInputs) -> float:
    """How drift one has strayed; whatever it raises is a `RewardError` with its name."""
    try:
        return float(canary.monitor.drift(inputs))
    except MargrpoError as error:
        raise RewardError(f"canary {canary.name}: {error}") from error
    except Exception as error:
        raise RewardError(f"canary {canary.name}: raised {described(error)}") from error


def check_canaries(canaries: Sequence[BuiltCanary], inputs: CanaryInputs) -> CanaryReport:
    """Measure, and compare with the limits; what is no number is beyond every one of them."""
    figures, warnings, end = {}, [], None
    for canary in canaries:
        drift = drift_of(canary, inputs)
        figures[f"canary/{canary.name}"] = drift
        if canary.stop is not None and not drift <= canary.stop:
            end = end or f"canary {canary.name} is {drift:.3g}, beyond its stop = {canary.stop:g}"
        elif canary.warn is not None and not drift <= canary.warn:
            warnings.append(
                f"canary {canary.name} is {drift:.3g}, beyond its warn = {canary.warn:g}: the policy may be gaming its "
                "reward; look at the newest pictures"
            )
    return CanaryReport(figures, tuple(warnings), end)
