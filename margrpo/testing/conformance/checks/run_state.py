"""Promises of components with run state: a checkpoint can hold the state, and a resumed run restores it."""

import json
from typing import Any

import attrs

from margrpo.contracts import HasRunState
from margrpo.testing.conformance.checks.every import same
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work.verdict import canary_inputs, monitor_of, scorer_of, shown
from margrpo.train.run import run_state
from margrpo.train.run.checkpoint import on_the_cpu
from margrpo.train.run.packing import pack, unpack


def parts(made: Any) -> dict[str, HasRunState]:
    """The objects with run state in a built object."""
    return {place: each for place, each in run_state.walk("build", made, {}) if isinstance(each, HasRunState)}


def saved(made: Any) -> run_state.States:
    """The run state of a built object after a round trip through a checkpoint."""
    plain, tensors = pack(run_state.states(parts(made)), "state")
    states: run_state.States = unpack(json.loads(json.dumps(plain)), on_the_cpu(tensors))
    return states


def take_up(made: Any, states: run_state.States) -> None:
    """Restore a built object, and claim that its run state equals the saved one."""
    run_state.restore(parts(made), states)
    claim(same(saved(made), states), "after load_run_state(state) its run_state() differs")


def run_state_survives_a_restart(subject: Subject) -> None:
    """A restored object gives the answers that the saved object gives."""
    first = built(subject)
    if not parts(first):
        not_applicable("it has no run state")
    answer(subject, first)
    second = built(attrs.evolve(subject, component=attrs.evolve(subject.component)))  # a component may build itself
    take_up(second, saved(first))
    deterministic = subject.entry.kind != "reward" or subject.component.traits.deterministic
    claim(
        same(answer(subject, first), answer(subject, second)) or not deterministic,
        "an object with restored state answers otherwise: its run_state() is incomplete",
    )


def built(subject: Subject) -> Any:
    """The scorer of a reward, or the monitor of a canary."""
    return scorer_of(subject) if subject.entry.kind == "reward" else monitor_of(subject)


def answer(subject: Subject, made: Any) -> Any:
    """The scores of some images, or their drift."""
    if subject.entry.kind == "reward":
        return made.score(*shown(subject))
    return made.drift(canary_inputs(subject, changed=True))
