"""The canaries of a run: what nothing is trained on, measured at each look."""

from collections.abc import Sequence

from margrpo.contracts import Canary, Perch
from margrpo.declare import record
from margrpo.errors import MargrpoError, RewardError
from margrpo.plugin.registry import registry
from margrpo.plugin.target import described
from margrpo.records import Sight
from margrpo.train.jury import numbered


@record
class Bird:
    """A canary that has been built."""

    name: str
    warn: float | None
    stop: float | None
    perch: Perch


@record
class Song:
    """What the canaries say: figures, sentences of those that are beyond their warning, and why the run must end."""

    figures: dict[str, float]
    warnings: tuple[str, ...]
    end: str | None


SILENCE = Song({}, (), None)


def built(canaries: Sequence[Canary], device: str) -> tuple[Bird, ...]:
    """Every canary with its name in the recipe, numbered where it occurs twice."""
    names = numbered([registry().called("canary", each) for each in canaries])
    return tuple(
        Bird(name, each.warn, each.stop, each.build(device)) for name, each in zip(names, canaries, strict=True)
    )


def measured(bird: Bird, sight: Sight) -> float:
    """How far one has strayed; whatever it raises is a `RewardError` with its name."""
    try:
        return float(bird.perch.strayed(sight))
    except MargrpoError as error:
        raise RewardError(f"canary {bird.name}: {error}") from error
    except Exception as error:
        raise RewardError(f"canary {bird.name}: raised {described(error)}") from error


def listen(birds: Sequence[Bird], sight: Sight) -> Song:
    """Measure, and compare with the limits; what is no number is beyond every one of them."""
    figures, warnings, end = {}, [], None
    for bird in birds:
        far = measured(bird, sight)
        figures[f"canary/{bird.name}"] = far
        if bird.stop is not None and not far <= bird.stop:
            end = end or f"canary {bird.name} is {far:.3g}, beyond its stop = {bird.stop:g}"
        elif bird.warn is not None and not far <= bird.warn:
            warnings.append(
                f"canary {bird.name} is {far:.3g}, beyond its warn = {bird.warn:g}: the policy may be gaming its "
                "reward; look at the newest pictures"
            )
    return Song(figures, tuple(warnings), end)
