import tomllib
from types import SimpleNamespace
from typing import Any

import pytest

from margrpo import hookimpl
from margrpo.errors import RecipeError
from margrpo.plugin.registry import Registry
from margrpo.recipe.fit import check_fit
from margrpo.recipe.structure import structure
from tests.recipe import components
from tests.recipe.broken import GOOD


def good(**tables: Any) -> dict[str, Any]:
    return {**tomllib.loads(GOOD), **tables}


def with_plugin() -> Registry:
    among = Registry()
    among.register(components, "small")
    assert not among.failures
    return among


def problems(data: dict[str, Any], among: Registry | None = None) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        check_fit(structure(data, among=among), among=among)
    return caught.value.problems


def test_a_recipe_whose_parts_fit_passes() -> None:
    check_fit(structure(good()))


def test_a_sampler_that_draws_noise_at_the_edge_passes() -> None:
    check_fit(structure(good(sampler={"use": "ddim", "eta": 1e-6})))


def test_a_deterministic_sampler_of_a_plugin_is_refused_by_name() -> None:
    assert problems(good(sampler={"use": "still"}), with_plugin()) == (
        "sampler.still is deterministic, so its tokens have no log-probability to train on; "
        "choose a sampler that draws noise",
    )


def test_a_flow_is_sampled_as_one() -> None:
    policy = tomllib.loads(GOOD)["policy"] | {"parameterization": {"use": "flow"}}
    check_fit(structure(good(policy=policy, sampler={"use": "flow_sde"})))
    assert problems(good(policy=policy)) == (
        "sampler takes the steps of a diffusion and policy.parameterization is that of a flow; "
        'flow_sde goes with "flow", ddpm and ddim with "epsilon" or "velocity", as the head was trained',
    )


def test_what_is_for_learning_may_misfit_where_a_recipe_is_only_to_draw_with() -> None:
    data = good(sampler={"use": "ddim", "eta": 0.0}, timesteps={"use": "random", "transitions": 99})
    assert problems(data)
    check_fit(structure(data), to_draw=True)
    data["unmasking"] = {"use": "cosine", "steps": 1000}
    with pytest.raises(RecipeError, match=r"unmasking\.steps = 1000 is more than"):
        check_fit(structure(data), to_draw=True)


def test_a_pre_training_may_sample_deterministically() -> None:
    data = good(dataset={"use": "shapes"}, measure={"use": "brightness"}, sampler={"use": "ddim", "eta": 0.0})
    for table in ("timesteps", "selector", "estimator", "reward"):
        del data[table]
    check_fit(structure(data))


def test_a_pre_training_with_another_geometry_is_refused() -> None:
    codec = {"use": "patch", "image": 32, "patch": 8, "components": 20}
    data = good(dataset={"use": "shapes"}, measure={"use": "brightness"}, codec=codec)
    for table in ("timesteps", "selector", "estimator", "reward"):
        del data[table]
    assert problems(data) == ("policy has 24 channels per token and codec has 20; set them so that both are equal",)


def test_what_an_estimator_compares_needs_a_step_before() -> None:
    data = good(
        estimator={"use": "multi_trajectory", "where": {"use": "consistent"}},
        unmasking={"steps": 1},
        timesteps={"use": "every"},
    )
    assert problems(data) == (
        "estimator compares an AR step with the one before, and unmasking.steps = 1; set it to 2 or more",
    )


def test_what_a_penalty_falls_on_needs_a_step_before() -> None:
    penalty = {"use": "gaussian", "reference": {"use": "frozen"}, "where": {"use": "consistent"}}
    assert problems(good(penalty=penalty, unmasking={"steps": 1}, timesteps={"use": "every"})) == (
        "penalty compares an AR step with the one before, and unmasking.steps = 1; set it to 2 or more",
    )


def test_a_rule_of_a_plugin_is_asked() -> None:
    among = with_plugin()
    check_fit(structure(good(run={"seed": 12}), among=among), among=among)
    assert problems(good(run={"seed": 13}), among) == ("run.seed = 13 is unlucky; take another",)


def test_a_rule_of_a_plugin_that_fails_is_named_not_passed_over() -> None:
    def margrpo_fit(recipe: Any) -> list[str]:
        raise RuntimeError("boom")

    among = Registry()
    among.register(SimpleNamespace(margrpo_fit=hookimpl(margrpo_fit)), "theirs", distribution="their-package")
    assert problems(good(), among) == ("the fit rule of plugin their-package:theirs failed: RuntimeError: boom",)


def label_policy(classes: int) -> dict[str, Any]:
    return tomllib.loads(GOOD)["policy"] | {"conditioner": {"use": "label", "classes": classes}}


@pytest.mark.parametrize(("classes", "drawn"), [(1000, []), (3, [2, "goldfish"]), (300, ["golden retriever", 0])])
def test_prompts_of_classes_that_the_policy_has_pass(classes: int, drawn: list[int | str]) -> None:
    check_fit(structure(good(policy=label_policy(classes), prompts={"use": "classes", "classes": drawn})))


def test_a_class_that_the_policy_does_not_have_is_refused() -> None:
    data = good(policy=label_policy(3), prompts={"use": "classes", "classes": [2, 3]})
    assert problems(data) == ("prompts draw class 3, and policy.conditioner.classes = 3; draw 0 to 2 only",)


def test_a_class_that_is_not_there_is_said_once() -> None:
    data = good(policy=label_policy(3), prompts={"use": "classes", "classes": [1, "crane"]})
    (said,) = problems(data)
    assert said.startswith("prompts: class 'crane': 2 classes have that name; give the label, 134 (crane bird) or 517 ")
