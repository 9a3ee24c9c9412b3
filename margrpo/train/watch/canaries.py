"""The canaries of a run, measured at each validation."""

from collections.abc import Sequence

from margrpo.declare import record
from margrpo.errors import MargrpoError, RewardError
from margrpo.plugin.loading import described
from margrpo.records import CanaryInputs
from margrpo.train.verdict.monitors import BuiltCanary


@record
class CanaryReport:
    """The canaries' report at a validation.

    - `figures`: drift of each canary.
    - `warnings`: sentences about canaries beyond `warn`.
    - `end`: a sentence if a canary is beyond `stop` and the run must end, else None.
    """

    figures: dict[str, float]
    warnings: tuple[str, ...]
    end: str | None


NO_CANARIES = CanaryReport({}, (), None)


def drift_of(canary: BuiltCanary, inputs: CanaryInputs) -> float:
    """The drift that a canary measures; any error becomes a `RewardError` with the canary's name."""
    try:
        return float(canary.monitor.drift(inputs))
    except MargrpoError as error:
        raise RewardError(f"canary {canary.name}: {error}") from error
    except Exception as error:
        raise RewardError(f"canary {canary.name}: raised {described(error)}") from error


def check_canaries(canaries: Sequence[BuiltCanary], inputs: CanaryInputs) -> CanaryReport:
    """Measure the drift of each canary and compare it with the limits; NaN is beyond every limit."""
    figures, warnings, end = {}, [], None
    for canary in canaries:
        drift = drift_of(canary, inputs)
        figures[f"canary/{canary.name}"] = drift
        if canary.stop is not None and not drift <= canary.stop:
            end = end or f"canary {canary.name} is {drift:.3g}, beyond its stop = {canary.stop:g}"
        elif canary.warn is not None and not drift <= canary.warn:
            warnings.append(
                f"canary {canary.name} is {drift:.3g}, beyond its warn = {canary.warn:g}: the policy may be gaming its "
                "reward; see the newest pictures"
            )
    return CanaryReport(figures, tuple(warnings), end)
