import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from margrpo import Entry, hookimpl
from margrpo.components.selector import Committed
from margrpo.errors import RecipeError
from margrpo.plugin.registry import Registry
from margrpo.recipe import Pretraining, Recipe, load
from margrpo.recipe.explain import explain
from margrpo.recipe.read import read
from margrpo.recipe.structure import structure, unstructure
from tests.recipe import components
from tests.recipe.broken import GOOD

ROOT = Path(__file__).parents[2]


def good(**tables: Any) -> dict[str, Any]:
    return {**tomllib.loads(GOOD), **tables}


def with_plugin() -> Registry:
    among = Registry()
    among.register(components, "small")
    assert not among.failures
    return among


def problems(data: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        structure(data, among=with_plugin())
    return caught.value.problems


def test_a_kind_left_out_is_its_default() -> None:
    data = good()
    del data["selector"]
    recipe = structure(data)
    assert isinstance(recipe, Recipe)
    assert recipe.selector == Committed()
    assert [type(tracker).__name__ for tracker in recipe.tracker] == ["Console", "Jsonl"]


def test_a_default_component_can_be_set_without_its_name() -> None:
    recipe = structure(good(sampler={"steps": 7}))
    assert unstructure(recipe)["sampler"] == {"use": "ddpm", "steps": 7, "temperature": 1.0, "score_last": False}


def test_a_recipe_with_a_dataset_is_a_pre_training() -> None:
    data = good(dataset={"use": "shapes"}, measure={"use": "brightness"}, run={"batch": 8})
    for table in ("timesteps", "selector", "estimator", "reward"):
        del data[table]
    recipe = structure(data)
    assert isinstance(recipe, Pretraining)
    assert recipe.run.batch == 8
    assert structure(unstructure(recipe)) == recipe


def test_a_table_of_training_in_a_pre_training_is_refused() -> None:
    data = good(dataset={"use": "shapes"}, measure={"use": "brightness"})
    for table in ("timesteps", "selector", "reward"):
        del data[table]
    assert problems(data) == (
        "estimator is not a table of a pre-training recipe, one with a [dataset]; remove it, or [dataset]",
    )


def test_everything_left_out_is_told_with_what_to_write() -> None:
    assert problems({}) == (
        "policy is required by a training recipe and missing: the generator that is trained; "
        "write [policy] with a `use`",
        "codec is required by a training recipe and missing: an autoencoder between images and tokens; "
        "write [codec] with a `use`",
        "prompts is required by a training recipe and missing: the source of prompts; write [prompts] with a `use`",
        "reward is required by a training recipe and missing: a score of finished images; "
        "write [[reward]] with a `use`",
    )


def test_settings_of_every_sort_are_read_and_written() -> None:
    table = {
        "use": "widest",
        "mode": "hard",
        "limit": 3,
        "shares": {"a": 0.5},
        "among": [{"use": "committed"}, {"use": "uncertain", "fraction": 0.5}],
        "box": [3, 4],
    }
    recipe = structure(good(selector=table), among=with_plugin())
    assert unstructure(recipe, among=with_plugin())["selector"] == table


def test_a_component_in_an_array_is_refused_with_its_place() -> None:
    table = {"use": "widest", "among": [{"use": "committed"}, {"use": "uncertain", "fraction": 2.0}, {"use": "evry"}]}
    assert problems(good(selector=table)) == (
        "selector.among.1.fraction = 2.0 must be greater than 0 and at most 1",
        "selector.among.2.use = \"evry\": there is no selector named 'evry'; did you mean 'every'?",
    )


def test_what_a_component_refuses_itself_is_told_with_its_path() -> None:
    assert problems(good(selector={"use": "refusing", "low": 3})) == ("selector is refused: low = 3 is above high = 1",)


def test_a_broken_plugin_is_named_where_its_component_is_missing() -> None:
    def margrpo_components() -> list[Entry]:
        raise RuntimeError("boom")

    among = Registry()
    among.register(
        SimpleNamespace(margrpo_components=hookimpl(margrpo_components)), "theirs", distribution="their-package"
    )
    with pytest.raises(RecipeError) as caught:
        structure(good(replay={"use": "theirs"}), among=among)
    assert caught.value.problems == (
        "replay.use = \"theirs\": there is no replay named 'theirs'; there are conditional, guided, released; "
        "plugin theirs of their-package failed to load: RuntimeError: boom",
    )


def test_the_resolved_recipe_names_the_component_first() -> None:
    resolved = unstructure(structure(good()))
    assert next(iter(resolved["estimator"])) == "use"
    assert next(iter(resolved["estimator"]["where"])) == "use"


SHARES = st.floats(0, 1, exclude_min=True)
POSITIVE = st.floats(0, exclude_min=True, allow_nan=False)
SELECTORS = st.recursive(
    st.sampled_from(["every", "committed", "uncommitted"]).map(lambda use: {"use": use}),
    lambda inner: st.fixed_dictionaries(
        {"use": st.sampled_from(["uncertain", "random"])}, optional={"fraction": SHARES, "within": inner}
    ),
    max_leaves=3,
)
ESTIMATORS = st.just({"use": "single"}) | st.fixed_dictionaries(
    {"use": st.sampled_from(["multi_trajectory", "rao_blackwell"])},
    optional={"trajectories": st.integers(1, 99), "where": SELECTORS, "weight": POSITIVE},
)
REFERENCES = st.just({"use": "frozen"}) | st.fixed_dictionaries({"use": st.just("periodic"), "every": st.integers(1)})
PENALTIES = st.just({"use": "none"}) | st.fixed_dictionaries(
    {"use": st.sampled_from(["gaussian", "k3_of_means"]), "reference": REFERENCES}, optional={"coefficient": POSITIVE}
)
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text(),
        "notes": st.text(),
        "run": st.fixed_dictionaries({}, optional={"steps": st.integers(1), "seed": st.integers(0)}),
        "selector": SELECTORS,
        "estimator": ESTIMATORS,
        "penalty": PENALTIES,
        "optimizer": st.fixed_dictionaries({}, optional={"lr": POSITIVE}),
        "reward": st.lists(st.fixed_dictionaries({"use": st.just("brightness"), "target": SHARES}), min_size=1),
        "tracker": st.lists(st.sampled_from([{"use": "console"}, {"use": "jsonl"}])),
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(tables=TABLES)
def test_the_resolved_recipe_is_the_recipe(tables: dict[str, Any]) -> None:
    recipe = structure(good(**tables))
    resolved = unstructure(recipe)
    assert structure(resolved) == recipe
    assert unstructure(structure(resolved)) == resolved
    assert structure(tomllib.loads(explain(recipe))) == recipe


def test_a_name_is_short_for_a_table_of_its_use_alone() -> None:
    short = load(ROOT / "recipes" / "quickstart.toml", ["attention=sdpa", "reward.0.on_failure=retry"])
    long = load(ROOT / "recipes" / "quickstart.toml", ["attention.use=sdpa", "reward.0.on_failure={use='retry'}"])
    assert short == long
    more = load(ROOT / "recipes" / "quickstart.toml", ["reward.0.on_failure=retry", "reward.0.on_failure.attempts=7"])
    assert more.reward[0].on_failure.attempts == 7


def test_a_table_builds_on_a_name(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text("sampler = 'ddim'\nattention = 'xformers'\n")
    (tmp_path / "child.toml").write_text("extends = 'parent.toml'\nattention = 'sdpa'\n[sampler]\neta = 0.5\n")
    assert read(tmp_path / "child.toml") == {"sampler": {"use": "ddim", "eta": 0.5}, "attention": "sdpa"}
