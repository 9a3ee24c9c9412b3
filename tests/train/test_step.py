from pathlib import Path

import pytest
import torch

from margrpo.components.advantage import Group
from margrpo.components.estimator import MultiTrajectory
from margrpo.components.objective import Clipped
from margrpo.components.optimizer import AdamW
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Frozen, Periodic
from margrpo.components.reward.brightness import Brightness
from margrpo.components.selector import Every, Uncertain
from margrpo.components.trainable import Everything
from margrpo.testing import small
from margrpo.train.assemble import Session, assemble
from margrpo.train.step import collect, train_step, update
from margrpo.train.verdict.judge import judge
from margrpo.train.verdict.scorers import build_rewards


def weights(session: Session) -> torch.Tensor:
    return torch.cat([value.detach().flatten().clone() for value in session.model.parameters()])


def test_a_rollout_is_a_function_of_weights_seed_and_step(tmp_path: Path):
    session, other = assemble(small.recipe(tmp_path)), assemble(small.recipe(tmp_path))
    first, again, next_ = collect(session, 4), collect(other, 4), collect(session, 5)
    assert torch.equal(first.tokens, again.tokens)
    assert first.prompts.keys == again.prompts.keys
    assert not torch.allclose(first.tokens, next_.tokens)


def test_a_step_moves_the_backbone_and_never_the_head(tmp_path: Path):
    session = assemble(small.recipe(tmp_path, optimizer=AdamW(lr=1e-2)))
    figures = train_step(session, 0).figures
    for name, value in session.model.named_parameters():
        moved = not torch.equal(value, dict(session.base.named_parameters())[name])
        assert moved == (value.grad is not None and bool((value.grad != 0).any()))
        assert name.startswith("backbone.") or value.grad is None
    assert figures["learning_rate"] == 1e-2
    assert figures["gradient_norm"] > 0
    assert figures["reward"] == pytest.approx(figures["reward/brightness"])
    assert {"seconds/collect", "seconds/judge", "seconds/learn"} <= figures.keys()


def test_without_any_advantage_no_step_is_taken(tmp_path: Path):
    session = assemble(small.recipe(tmp_path, optimizer=AdamW(weight_decay=0.5)))
    rollout, before = collect(session, 0), weights(session)
    figures, _ = update(session, rollout, torch.zeros(4), rate=0.1)
    assert torch.equal(weights(session), before)
    assert (figures["head_evaluations"], figures["gradient_norm"]) == (0, 0.0)


def test_the_figures_count_tokens_and_evaluations(tmp_path: Path):
    estimator = MultiTrajectory(trajectories=3, where=Uncertain(fraction=0.5))
    session = assemble(small.recipe(tmp_path, selector=Every(), estimator=estimator))
    rollout = collect(session, 0)
    figures = train_step(session, 0).figures
    tokens = sum(int(step.unknown.sum()) for step in rollout.steps)
    marked = sum(int((step.unknown & estimator.where.select(rollout, step)).sum()) for step in rollout.steps)
    assert figures["live_groups"] == 1.0
    assert figures["tokens"] == tokens
    assert figures["head_evaluations"] == (3 * marked + tokens - marked) * len(rollout.diffusion_steps)


def test_a_clipped_objective_takes_its_updates_and_the_penalty_is_felt_from_the_second(tmp_path: Path):
    penalty = GaussianKL(coefficient=1.0, reference=Frozen())
    once = assemble(small.recipe(tmp_path, penalty=penalty))
    twice = assemble(small.recipe(tmp_path, penalty=penalty, objective=Clipped(updates=2)))
    first, second = train_step(once, 0).figures, train_step(twice, 0).figures
    assert second["head_evaluations"] == 2 * first["head_evaluations"]
    assert first["penalty"] == pytest.approx(0, abs=1e-6)
    assert second["penalty"] > 1e-6
    steps = [{int(state["step"]) for state in s.optimizer.state.values()} for s in (once, twice)]
    assert steps == [{1}, {2}]


def test_the_gradient_is_scaled_down_to_the_largest_norm(tmp_path: Path):
    session = assemble(small.recipe(tmp_path, optimizer=AdamW(max_norm=1e-3)))
    figures = train_step(session, 0).figures
    norm = torch.cat([v.grad.flatten() for _, v in session.parameters if v.grad is not None]).norm()
    assert figures["gradient_norm"] > 1e-3
    assert float(norm) == pytest.approx(1e-3, rel=1e-2)


def test_the_reference_follows_after_the_steps_it_is_due(tmp_path: Path):
    session = assemble(small.recipe(tmp_path, penalty=GaussianKL(reference=Periodic(every=2))))
    reference = session.method.regularizer.reference.backbone.mae.mask_token
    for step, follows in ((0, False), (1, True)):
        train_step(session, step)
        assert torch.equal(reference, session.model.backbone.mae.mask_token) == follows


def test_training_raises_the_reward(tmp_path: Path):
    # GRPO on brightness, from the same noise at every step: 0.47 rises by 0.1 in thirty steps.
    session = assemble(small.recipe(tmp_path, optimizer=AdamW(lr=1e-2), trainable=Everything()))
    for _ in range(30):
        rollout = collect(session, 0)
        update(session, rollout, judge(build_rewards((Brightness(),), "cpu"), Group(), rollout).advantages, rate=1e-2)
    before = judge(
        build_rewards((Brightness(),), "cpu"), Group(), collect(assemble(small.recipe(tmp_path)), 0)
    ).total.mean()
    after = judge(build_rewards((Brightness(),), "cpu"), Group(), collect(session, 0)).total.mean()
    assert float(after - before) > 0.05


def test_a_gradient_that_is_not_finite_takes_no_step_and_is_counted(tmp_path: Path):
    session = assemble(small.recipe(tmp_path))
    rollout, before = collect(session, 0), weights(session)
    figures, stats = update(session, rollout, torch.tensor([torch.inf, 1.0, -1.0, 1.0]), rate=0.1)
    assert torch.equal(weights(session), before)
    assert figures["skipped"] == 1
    assert not stats.finite
    assert update(session, rollout, torch.tensor([1.0, 1.0, -1.0, -1.0]), rate=0.1)[0]["skipped"] == 0
    assert not torch.equal(weights(session), before)
