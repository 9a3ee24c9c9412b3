"""Run state: one walk over the recipe's components and the objects that they have built.

A component is named by its place in the recipe (`reward.0.of`). A built object is named by the place and the method
that built it (`reward.0.build`, `tracker.1.open`), and an object inside it by the attribute (`reward.0.build.inner`).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from margrpo.contracts import HasRunState, Monitor, OpenTracker, Scorer
from margrpo.errors import RunError
from margrpo.plugin.loading import described
from margrpo.recipe.walk import components
from margrpo.train.assemble import Session

States = dict[str, dict[str, Any]]
"""The class and the run state of each object by its place; state of another class is not restored."""


def stateful(session: Session, trackers: Sequence[OpenTracker] = ()) -> dict[str, HasRunState]:
    """The objects with run state, each once, by their places in the recipe."""
    found: dict[int, tuple[str, Any]] = {id(each): (place, each) for place, each in components(session.recipe)}
    seen: dict[int, Any] = {}
    for start, made in built(session, trackers):
        for place, each in walk(start, made, seen):
            found.setdefault(id(each), (place, each))  # a component may build itself
    return {place: each for place, each in found.values() if isinstance(each, HasRunState)}


def built(session: Session, trackers: Sequence[OpenTracker]) -> Iterator[tuple[str, Any]]:
    """The objects that the recipe's components have built, by the component's place and the building method."""
    yield "policy.build", session.model
    yield "codec.build", session.pipeline.codec
    for index, reward in enumerate(session.scorers):
        yield f"reward.{index}.build", reward.scorer
    for reward in session.measure:
        yield "measure.build", reward.scorer
    for index, canary in enumerate(session.canaries):
        yield f"canary.{index}.build", canary.monitor
    yield "penalty.build", session.method.regularizer
    yield "optimizer.build", session.optimizer
    yield "parallel.join", session.processes
    for index, tracker in enumerate(trackers):
        yield f"tracker.{index}.open", tracker


def walk(place: str, made: Any, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a built object, then each scorer, monitor, network and object with run state that it holds."""
    if id(made) in seen:
        return
    seen[id(made)] = made
    yield place, made
    for name, held in attributes(made):
        if not_plain(held) and isinstance(held, (HasRunState, Scorer, Monitor, nn.Module)):
            yield from walk(f"{place}.{name}", held, seen)


def attributes(made: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object by their names, and the items of its lists, tuples and mappings."""
    slots = [name for cls in type(made).__mro__ for name in getattr(cls, "__slots__", ()) if not name.startswith("__")]
    values = {name: getattr(made, name) for name in slots if hasattr(made, name)} | getattr(made, "__dict__", {})
    if isinstance(made, nn.Module):
        values = {**values, "_modules": None, **dict(made.named_children())}
    for name, value in values.items():
        yield name, value
        inner = enumerate(value) if isinstance(value, (list, tuple)) else ()
        for key, each in value.items() if isinstance(value, Mapping) else inner:
            yield f"{name}.{key}", each


def not_plain(value: Any) -> bool:
    """Whether a value is not of a plain type; checked first, because a vocabulary may have 100,000 entries."""
    return type(value).__module__ != "builtins"


def states(parts: Mapping[str, HasRunState]) -> States:
    """The run state of each object, with its class."""
    return {place: {"class": type(part).__name__, "state": asked(place, part)} for place, part in parts.items()}


def asked(place: str, part: HasRunState) -> Mapping[str, Any]:
    """The run state of an object; `RunError` with the object's place if it raises."""
    try:
        return part.run_state()
    except Exception as error:
        raise RunError(f"{place}: run_state() of {type(part).__name__} raised {described(error)}") from error


def restore(parts: Mapping[str, HasRunState], saved: States) -> None:
    """Restore the state of each object that was saved for its place and class; other objects begin anew."""
    for place, part in parts.items():
        name, of = type(part).__name__, saved.get(place)
        if of is None or of["class"] != name:
            continue
        try:
            part.load_run_state(of["state"])
        except Exception as error:
            raise RunError(f"{place}: load_run_state() of {name} raised {described(error)}") from error


@contextmanager
def unchanged(parts: Mapping[str, HasRunState]) -> Iterator[None]:
    """Context manager after which each object has the run state that it had before."""
    before = copy.deepcopy(states(parts))
    yield
    restore(parts, before)


def warning(parts: Mapping[str, HasRunState], world_size: int) -> str | None:
    """A sentence where the run state of some ranks is lost over a restart; trackers live on rank 0 alone."""
    places = [place for place in parts if not place.startswith("tracker.")]
    if world_size == 1 or not places:
        return None
    return (
        f"{', '.join(places)}: the run state of rank 0 is saved, and every rank resumes with it; a resumed run equals "
        "one that was never stopped only if all ranks have one state"
    )
