import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from margrpo import component, setting
from margrpo.components.estimator import MultiTrajectory
from margrpo.components.guidance import Linear
from margrpo.components.objective import Clipped
from margrpo.components.penalty import GaussianKL
from margrpo.components.reference import Frozen
from margrpo.components.replay import Conditional
from margrpo.components.selector import Committed, Consistent, Every, Uncommitted
from margrpo.components.timesteps import Random
from margrpo.errors import RecipeError
from margrpo.plan.counts import plan, virtual_chance
from margrpo.recipe import load
from margrpo.recipe.fit import check_geometry
from margrpo.records import Rollout
from margrpo.testing import small
from margrpo.train.assemble import assemble
from margrpo.train.step import collect, update
from margrpo.train.verdict.judge import judge

RECIPES = Path(__file__).parents[2] / "recipes"


@component
class Stuck:
    """Halves the unknown tokens, and at the end stands still."""

    steps: int = setting(4, "AR steps")

    def counts(self, tokens: int) -> tuple[int, ...]:
        return (*(max(1, tokens >> step) for step in range(self.steps)), 0)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"selector": Every()},
        {"estimator": MultiTrajectory(trajectories=3)},
        {"selector": Every(), "estimator": MultiTrajectory(trajectories=3, where=Committed())},
        {"objective": Clipped(updates=2)},
        {"timesteps": Random(ar_steps=3, transitions=2)},
    ],
)
def test_the_update_evaluates_the_head_exactly_as_planned(parts: dict[str, object], tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, **parts)
    session = assemble(recipe)
    rollout = collect(session, 0)
    verdict = judge(session.scorers, recipe.advantage, rollout)
    assert (verdict.advantages != 0).all()
    counted = plan(recipe)
    assert counted.update.is_fixed
    assert update(session, rollout, verdict.advantages, 1e-4)[0]["head_evaluations"] == counted.update.most


def test_committed_tokens_of_random_steps_evaluate_the_head_between_bounds_that_hold() -> None:
    sets = ("policy.weights=random", "codec.weights=random", 'reward=[{use="brightness"}]')
    recipe = load(RECIPES / "shapes" / "single.toml", sets)
    session, counted = assemble(recipe), plan(recipe)
    rollout = collect(session, 0)
    verdict = judge(session.scorers, recipe.advantage, rollout)
    evaluations = update(session, rollout, verdict.advantages, 1e-4)[0]["head_evaluations"]
    assert evaluations == counted.transitions * sum(int(step.committed.sum()) for step in rollout.steps)
    assert evaluations <= counted.update.most
    assert counted.images == len(rollout.prompts)


@component
class Last:
    """Trains on the last AR step and every transition."""

    def draw(self, ar_steps: int, transitions: Sequence[int], generator: object) -> tuple[tuple[int, ...], ...]:
        return (ar_steps - 1,), tuple(sorted(transitions, reverse=True))

    def kept(self, ar_steps: int, transitions: int) -> tuple[int, int]:
        return 1, transitions


def test_timesteps_say_how_much_they_keep(tmp_path: Path) -> None:
    counted = plan(small.recipe(tmp_path, timesteps=Last()))
    assert (counted.kept_stages, counted.transitions) == (1, 3)


def test_what_is_consistent_is_only_known_to_be_unknown(tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, selector=Consistent())
    counted = plan(recipe)
    assert counted.update.mean is None
    assert counted.update.most == plan(small.recipe(tmp_path, selector=Every())).update.most


def drawn(rollout: Rollout) -> int:
    return sum(int(step.chain.drawn.sum()) for step in rollout.steps)


@pytest.mark.parametrize("selector", [Committed(), Every()])
def test_the_rollout_draws_as_many_tokens_as_planned(selector: object, tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, selector=selector, estimator=MultiTrajectory(trajectories=2))
    rollout, counted = collect(assemble(recipe), 0), plan(recipe)
    assert counted.rollout.is_fixed
    assert counted.rollout.most == drawn(rollout) * recipe.sampler.steps
    assert rollout.trajectories is not None
    assert counted.trajectories.most == rollout.trajectories.sample.shape[:2].numel() * recipe.sampler.steps


def test_the_chance_of_a_virtual_draw_is_that_of_being_kept() -> None:
    steps, kept = 5, 2
    for index, earlier in itertools.product(range(steps), (False, True)):
        choices = list(itertools.combinations(range(steps), kept))
        hits = [index in choice or (earlier and index + 1 in choice) for choice in choices]
        assert virtual_chance(index, steps, kept, previous=earlier) == pytest.approx(sum(hits) / len(choices))


def test_guidance_needs_a_second_pass_where_its_scale_is_not_1(tmp_path: Path) -> None:
    counted = plan(small.recipe(tmp_path, guidance=Linear(weight=3.0)))
    assert counted.guided_rollout
    assert (counted.backbone_rollout, counted.backbone_update.most) == (6, 6)
    conditional = plan(small.recipe(tmp_path, guidance=Linear(weight=3.0), replay=Conditional()))
    assert not conditional.guided_update
    assert conditional.backbone_update.most == 3


def test_a_reference_is_evaluated_as_often_as_the_policy(tmp_path: Path) -> None:
    counted = plan(small.recipe(tmp_path, penalty=GaussianKL(reference=Frozen())))
    assert counted.reference == counted.update
    assert plan(small.recipe(tmp_path)).reference.most == 0


def test_an_ar_step_that_commits_nothing_is_refused_with_the_nearest_number_of_steps(tmp_path: Path) -> None:
    recipe = small.recipe(tmp_path, unmasking=Stuck(steps=5))
    with pytest.raises(RecipeError) as caught:
        check_geometry(recipe, source="x.toml")
    assert str(caught.value) == (
        "x.toml: unmasking.steps = 5 has an AR step that commits nothing: "
        "1 tokens are unknown before step 2, 1 after; the nearest that works: 3"
    )


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_falling_counts_are_accepted(steps: int, tmp_path: Path) -> None:
    check_geometry(small.recipe(tmp_path, unmasking=Stuck(steps=steps)))


def test_a_penalty_with_tokens_of_its_own_adds_their_main_chains(tmp_path: Path):
    alone = small.recipe(tmp_path, penalty=GaussianKL(reference=Frozen()))
    apart = small.recipe(tmp_path, penalty=GaussianKL(reference=Frozen(), where=Uncommitted()))
    shared, own = plan(alone), plan(apart)
    left = plan(small.recipe(tmp_path, selector=Uncommitted())).update
    assert shared.reference == shared.update
    assert own.reference == left
    assert own.update == shared.update + left
