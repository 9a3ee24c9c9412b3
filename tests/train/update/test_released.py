"""The recipe of the paper's release, and what it corrects, against numbers recorded from the release itself.

Recorded `maskref` is the release as it is; `maskfix` has the mask of before the step, and the rest as released.
"""

from dataclasses import replace
from pathlib import Path

import attrs
import pytest
import torch

from margrpo.components.estimator import MultiTrajectory, Single
from margrpo.components.objective import OnPolicy, StepSum
from margrpo.components.penalty import K3OfMeans, NoPenalty
from margrpo.components.reference import Frozen
from margrpo.components.replay import Released
from margrpo.components.sampler import Ddpm
from margrpo.components.selector import Consistent, Every, Uncertain, Uncommitted
from margrpo.components.weighting import Density
from margrpo.maths import consistency, uncertainty
from margrpo.recipe import Recipe, load
from margrpo.train.rollout.condition import conditions_at
from margrpo.train.rollout.reverse_process import step_gaussian
from margrpo.train.update.backward import backward
from margrpo.train.update.method import Method
from margrpo.train.update.statistics import UpdateStats
from tests.golden.reading import allowed, largest_difference
from tests.train.update import released
from tests.train.update.released import NAME, golden

pytestmark = pytest.mark.golden(NAME)
RECIPE = Path(__file__).parents[3] / "recipes" / "mar_large_paper_release.toml"
STEPS, CHANNELS = (3, 1, 6, 7, 5), 16
CASES = [
    f"{mask}.{case}"
    for mask in ("maskref", "maskfix")
    for case in ("crit1_sim1", "crit1_sim0", "crit0_sim0", "crit0_sim0_beta0")
]
TIMES = golden()["in.selected_diff_steps_t"].tolist()
GRADIENTS = [key for key in golden() if ".grad." in key]


def recipe(case: str) -> Recipe:
    """The recipe, changed to what the recorded case names."""
    mask, variant = case.split(".")
    found = load(RECIPE, [])
    if mask == "maskfix":
        found = attrs.evolve(
            found,
            replay=attrs.evolve(found.replay, mask_at="before"),
            selector=attrs.evolve(found.selector, within=Every()),
            penalty=attrs.evolve(found.penalty, where=Every()),
        )
    if "sim0" in variant:
        found = attrs.evolve(found, selector=found.selector.within)
    if "crit0" in variant:
        found = attrs.evolve(found, estimator=Single())
    return attrs.evolve(found, penalty=NoPenalty()) if "beta0" in variant else found


def method(case: str) -> Method:
    """The method of a recorded case, from the recipe's own components."""
    found = recipe(case)
    parts = ("selector", "estimator", "weighting", "objective", "replay")
    return Method(
        **{part: getattr(found, part) for part in parts}, regularizer=found.penalty.build(released.model("ref"))
    )


def released_backward(case: str, *steps: int) -> tuple[UpdateStats, list[torch.Tensor], dict[str, torch.Tensor]]:
    """Our update on the recorded rollout: its stats, the gradient by z of each AR step, and by each weight."""
    model, stats, by_z = released.model("policy"), UpdateStats(), []
    model.requires_grad_(True)
    model.backbone.mae.register_forward_hook(lambda _module, _given, z: z.register_hook(by_z.append) and None)
    backward(released.pipeline(model), method(case), released.rollout(*steps), golden()["in.advantages"], stats)
    return stats, by_z, {name: value.grad for name, value in model.named_parameters()}


@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_by_conditions_of_each_ar_step_are_the_releases(case: str):
    for place, step in enumerate(STEPS):
        stats, (by_z,), _ = released_backward(case, step)
        # The release sums its ratio over channels, each of the value A; ours is one ratio of the value A per token.
        surrogate, divergence = torch.as_tensor(stats.surrogate * CHANNELS), torch.as_tensor(stats.divergence)
        policy, total = golden()[f"{case}.policy_loss"][place], golden()[f"{case}.total_loss"][place]
        penalty = golden()[f"{case}.kl_loss"][place] * 0.01  # recorded as 0 without a penalty
        assert largest_difference(surrogate, policy) <= allowed(NAME, f"{case}.policy_loss")
        assert largest_difference(divergence, penalty) <= 0.01 * allowed(NAME, f"{case}.kl_loss")
        assert largest_difference(divergence - surrogate, total) <= allowed(NAME, f"{case}.total_loss")
        theirs = golden()[f"{case}.grad_z"][place]
        assert largest_difference(by_z, theirs) <= allowed(NAME, f"{case}.grad_z")


@pytest.mark.parametrize("case", sorted({key.split(".grad.")[0] for key in GRADIENTS}))
def test_gradients_by_weights_are_the_sums_of_the_releases_ar_steps(case: str):
    _, _, ours = released_backward(case, *STEPS)
    compared = [key for key in GRADIENTS if key.startswith(f"{case}.")]
    assert compared
    for key in compared:
        name = key.split(".grad.")[1]
        assert largest_difference(ours[released.our_name(name)], golden()[key]) <= allowed(NAME, key), name


@pytest.mark.parametrize("mask", ["maskref", "maskfix"])
def test_conditions_under_the_released_mask_are_the_releases(mask: str):
    model, replay = released.model("policy"), method(f"{mask}.crit1_sim1").replay
    for place, index in enumerate(STEPS):
        rollout = released.rollout(index)
        (step,) = rollout.steps
        unknown = replay.mask(rollout, step)
        assert torch.equal(unknown, golden()[f"step{index}.mask_{'next' if mask == 'maskref' else 'before'}"].bool())
        z = conditions_at(model, step, rollout.prompts, scale=1.0, mask=unknown).z
        assert largest_difference(z, golden()[f"{mask}.z"][place]) <= allowed(NAME, f"{mask}.crit1_sim1.z")


@pytest.mark.parametrize("mask", ["maskref", "maskfix"])
def test_the_tokens_that_carry_loss_are_the_releases(mask: str):
    for index in STEPS[:1] + STEPS[2:]:  # step 1 is not filtered, so the release had no mask to record
        rollout = released.rollout(index)
        ours = method(f"{mask}.crit1_sim1").selector.select(rollout, rollout.steps[0])
        assert torch.equal(ours.float(), golden()[f"{mask}.step{index}.policy_mask"])


def test_uncertainty_and_progress_are_the_releases():
    chain = released.trajectories()
    spread = uncertainty.uncertainty(chain.sample).view(4, 16, 1)
    assert largest_difference(spread, golden()["std_map"]) <= allowed(NAME, "std_map")
    marked = Uncertain(fraction=0.3, within=Every())
    rollout = released.rollout(1)
    early = replace(rollout.steps[0], unknown=torch.ones(4, 16, dtype=torch.bool))
    assert torch.equal(marked.select(rollout, early)[..., None].float(), golden()["critic_token_mask"])
    for index in (3, 5, 6, 7):
        now, before = golden()[f"step{index}.x0"], golden()[f"step{index - 1}.x0"]
        final = golden()["in.final_diff_latents"]
        gain = consistency.progress(now.flatten(0, 1), before.flatten(0, 1), final.flatten(0, 1)).view(4, 16)
        assert largest_difference(gain, golden()[f"step{index}.sim_progress"]) <= allowed(
            NAME, f"step{index}.sim_progress"
        )


def test_every_setting_of_the_recipe_is_the_releases():
    # Not all of them move what was recorded: it has no dropout, and no std below the floor.
    found = load(RECIPE, [])
    uncommitted = Uncommitted(last_too=True)
    assert found.policy.dropout == 0.1
    assert found.sampler == Ddpm(steps=25, temperature=1.0, score_last=True)
    assert found.replay == Released(mask_at="after", min_variance=1e-6)
    assert found.objective == StepSum()
    assert found.weighting == Density()
    assert found.selector == Consistent(threshold=0.0, first_step=2, within=uncommitted)
    assert found.estimator == MultiTrajectory(trajectories=5, std="main", where=Uncertain(fraction=0.3))
    assert found.penalty == K3OfMeans(coefficient=0.01, reference=Frozen(), where=uncommitted)


def test_rewards_become_the_releases_advantages():
    group = torch.tensor([0, 0, 1, 1])
    ours = recipe("maskref.crit1_sim1").advantage.advantages(golden()["in.rewards"][:, None], torch.ones(1), group)
    assert largest_difference(ours, golden()["in.advantages"]) <= allowed(NAME, "in.advantages")


@pytest.mark.parametrize("index", STEPS)
def test_the_std_of_every_recorded_transition_is_the_releases(index: int):
    model, rollout = released.model("policy"), released.rollout(index)
    (step,), pipeline, everything = rollout.steps, released.pipeline(model), torch.ones(4, 16, dtype=torch.bool)
    known = conditions_at(model, step, rollout.prompts).of(everything)
    for x, theirs, t in zip(golden()[f"step{index}.xt"], golden()[f"step{index}.std"], TIMES, strict=True):
        ours = step_gaussian(model.head, pipeline.sampler, known, x.flatten(0, 1)[None], t).std[0]
        assert largest_difference(ours, theirs.flatten(0, 1)) <= allowed(NAME, f"step{index}.std")


def corrections(case: str) -> dict[str, dict[str, object]]:
    """Each setting of the release put right alone."""
    found = method(case)
    return {
        "mask": {"replay": attrs.evolve(found.replay, mask_at="before")},
        "first_step": {"selector": attrs.evolve(found.selector, first_step=1)},
        "last_too": {"selector": attrs.evolve(found.selector, within=Uncommitted())},
        "step_sum": {"objective": OnPolicy()},
    }


@pytest.mark.parametrize("setting", corrections("maskref.crit1_sim1"))
def test_putting_one_quirk_right_changes_the_gradient(setting: str):
    case, model = "maskref.crit1_sim1", released.model("policy")
    changed = replace(method(case), **corrections(case)[setting])
    backward(released.pipeline(model), changed, released.rollout(*STEPS), golden()["in.advantages"], UpdateStats())
    ours, theirs = model.backbone.mae.z_proj.weight.grad, golden()[f"{case}.grad.z_proj.weight"]
    assert largest_difference(ours, theirs) > 10 * allowed(NAME, f"{case}.grad.z_proj.weight")


def test_a_penalty_on_what_carries_loss_is_another_than_the_releases():
    case, step = "maskref.crit1_sim1", STEPS[0]
    regularizer = attrs.evolve(recipe(case).penalty, where=None).build(released.model("ref"))
    stats, changed = UpdateStats(), replace(method(case), regularizer=regularizer)
    rollout, advantages = released.rollout(step), golden()["in.advantages"]
    backward(released.pipeline(released.model("policy")), changed, rollout, advantages, stats)
    theirs = float(golden()[f"{case}.kl_loss"][0]) * 0.01
    assert abs(float(stats.divergence) - theirs) > 10 * 0.01 * allowed(NAME, f"{case}.kl_loss")


def test_the_k_chains_are_scored_with_the_std_of_the_main_chain():
    rollout = released.rollout(3)
    (step,) = rollout.steps
    estimator = recipe("maskref.crit1_sim1").estimator
    several, _ = estimator.transitions(rollout, step, step.unknown)
    main = step.chain.std[:, :, step.chain.rows(several.where)]
    assert torch.equal(several.part()[2], main.expand(-1, 5, -1, -1))
    own, _ = attrs.evolve(estimator, std="own").transitions(rollout, step, step.unknown)
    assert own.part()[2].isnan().all()  # which the recorded rollout lacks
