from pathlib import Path
from typing import Any

import pytest
import torch

from margrpo.components.optimizer import AdamW
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Periodic
from margrpo.components.reward.cached import Cached
from margrpo.declare import component, setting
from margrpo.errors import WeightsError
from margrpo.records import Traits
from margrpo.testing import small
from margrpo.train.assemble import Session, assemble
from margrpo.train.run import checkpoint, manifest
from margrpo.train.run.figures import is_measured
from margrpo.train.run.resume import Start
from margrpo.train.run.run_state import stateful
from margrpo.train.step import train_step


@component
class Running:
    """A reward that remembers: the mean of all brightnesses that it has seen."""

    weight: float = setting(1.0)
    on_failure: None = None
    traits = Traits()

    def build(self, device: str) -> "Running":
        return self

    def score(self, images: Any, prompts: Any) -> torch.Tensor:
        self.__dict__.setdefault("seen", []).append(images.mean((1, 2, 3)))
        return images.mean((1, 2, 3)) - torch.cat(self.seen).mean()

    def run_state(self) -> dict[str, Any]:
        return {"seen": list(self.__dict__.get("seen", []))}

    def load_run_state(self, state: dict[str, Any]) -> None:
        self.__dict__["seen"] = list(state["seen"])


def saved(session: Session, step: int, folder: Path, memory: dict[str, Any] | None = None) -> Path:
    taken = checkpoint.snapshot(session, step, memory or {}, {"versions": {}})
    taken.with_state_of(stateful(session)).write(folder)
    return checkpoint.place_of(folder, step)


def everything(session: Session) -> list[torch.Tensor]:
    found = [*session.model.state_dict().values(), *session.method.regularizer.reference.state_dict().values()]
    for state in session.optimizer.state.values():
        found += state.values()
    return [value.detach().clone() for value in found]


def test_a_run_put_back_is_the_run_that_was_saved_and_steps_alike(tmp_path: Path) -> None:
    recipe = small.recipe(
        tmp_path,
        optimizer=AdamW(lr=1e-2),
        penalty=GaussianKL(reference=Periodic(every=2)),
        reward=(Running(),),
    )
    session = assemble(recipe)
    for step in range(3):
        train_step(session, step)
    place, before = saved(session, 3, tmp_path, {"norms": [0.1, 1 / 3]}), everything(session)
    next_ = train_step(session, 3).figures
    again = small.recipe(
        tmp_path, optimizer=AdamW(lr=1e-2), penalty=GaussianKL(reference=Periodic(every=2)), reward=(Running(),)
    )
    start = Start(place, 3)
    resumed = start.assembled(again, again.parallel.join("cpu"))
    assert start.remembered(resumed, stateful(resumed)) == {"norms": [0.1, 1 / 3]}
    assert all(torch.equal(a, b) for a, b in zip(everything(resumed), before, strict=True))
    figures = train_step(resumed, 3).figures
    assert all(figures[name] == value for name, value in next_.items() if not is_measured(name))
    assert all(torch.equal(a, b) for a, b in zip(everything(resumed), everything(session), strict=True))


def test_a_snapshot_does_not_change_while_the_run_goes_on(tmp_path: Path) -> None:
    session = assemble(small.recipe(tmp_path, optimizer=AdamW(lr=1e-2)))
    train_step(session, 0)
    taken = checkpoint.snapshot(session, 1, {}, {})
    before = {file: {name: value.clone() for name, value in of.items()} for file, of in taken.files.items()}
    train_step(session, 1)
    assert all(torch.equal(value, before[file][name]) for file, of in taken.files.items() for name, value in of.items())
    moved = taken.files["policy.safetensors"]["policy.backbone.mae.mask_token"]
    assert not torch.equal(moved, session.model.backbone.mae.mask_token)


def test_a_checkpoint_serves_as_weights_of_a_recipe(tmp_path: Path) -> None:
    session = assemble(small.recipe(tmp_path))
    place = saved(session, 0, tmp_path)
    policy = small.policy(checkpoint=str(place / "policy.safetensors"), weights="ema")
    model = policy.build(attention=session.recipe.attention)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), session.model.parameters(), strict=True))


def test_the_checkpoint_of_another_model_is_refused_with_what_differs(tmp_path: Path) -> None:
    place = saved(assemble(small.recipe(tmp_path)), 0, tmp_path)
    other = small.recipe(tmp_path, side=4)
    with pytest.raises(WeightsError, match=r"policy.safetensors: does not fit the model: .*\(1, 14, 8\) where the"):
        Start(place, 0).assembled(other, other.parallel.join("cpu"))


def test_a_component_that_builds_itself_is_asked_for_its_state_once(tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, reward=(Cached(of=Running()), small.recipe(tmp_path).reward[0]))
    assert list(stateful(assemble(recipe))) == ["reward.0.of"]


def test_the_newest_few_are_kept_and_those_that_are_for_good(tmp_path: Path) -> None:
    for step in (5, 10, 15, 20, 25):
        manifest.write(checkpoint.place_of(tmp_path, step), lambda folder: None, {"step": step})
    checkpoint.prune(tmp_path, keep=2, keep_every=10)
    assert [checkpoint.step_of(place) for place in checkpoint.all_in(tmp_path)] == [10, 20, 25]
    checkpoint.prune(tmp_path, keep=1, keep_every=None)
    assert [checkpoint.step_of(place) for place in checkpoint.all_in(tmp_path)] == [25]
