"""The canaries of a run: what nothing is trained on, measured at each look."""

from collections.abc import Sequence

from margrpo.declare import record
from margrpo.errors import MargrpoError, RewardError
from margrpo.plugin.loading import described
from margrpo.records import CanaryInputs
from margrpo.train.verdict.monitors import BuiltCanary


@record
class CanaryReport:
    """What the canaries say: figures, sentences of those that are beyond their warning, and why the run must end."""

    figures: dict[str, float]
    warnings: tuple[str, ...]
    end: str | None


NO_CANARIES = CanaryReport({}, (), None)


def drift_of(canary: BuiltCanary, inputs: CanaryInputs) -> float:
    """Measure the drift by one canary; whatever the canary raises becomes a `RewardError` with its name."""
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
