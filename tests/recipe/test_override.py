from typing import Any

import pytest

from margrpo.recipe.override import OverrideError, apply_overrides, parse_override


def applied(data: dict[str, Any], *texts: str) -> dict[str, Any]:
    apply_overrides(data, map(parse_override, texts))
    return data


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("5", 5),
        ("1e-4", 1e-4),
        ("true", True),
        ("'5'", "5"),
        ("[1, 2]", [1, 2]),
        ("{use='a', n=1}", {"use": "a", "n": 1}),
        ("single", "single"),
        ("/data/weights.pt", "/data/weights.pt"),
        ("two words = three", "two words = three"),
        ("2026-01-31", "2026-01-31"),
        ("1\nother = 2", "1\nother = 2"),
        ("", ""),
    ],
)
def test_a_value_is_toml_and_a_bare_word_is_a_string(raw: str, value: Any) -> None:
    parsed = parse_override(f"a.b={raw}").value
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize("raw", ["[1,", "{a=", "'open", '"open'])
def test_a_value_that_begins_like_toml_must_be_toml(raw: str) -> None:
    with pytest.raises(OverrideError, match="is not a TOML value"):
        parse_override(f"a={raw}")


def test_a_set_makes_the_tables_on_its_way() -> None:
    assert applied({}, "estimator.where.fraction=0.5") == {"estimator": {"where": {"fraction": 0.5}}}


def test_choosing_another_component_drops_the_settings_of_the_old() -> None:
    data = {"estimator": {"use": "mte", "k": 5}, "run": {"seed": 1}}
    assert applied(data, "estimator.use=single") == {"estimator": {"use": "single"}, "run": {"seed": 1}}


def test_choosing_the_same_component_keeps_its_settings() -> None:
    assert applied({"estimator": {"use": "mte", "k": 5}}, "estimator.use=mte") == {"estimator": {"use": "mte", "k": 5}}


def test_a_component_is_chosen_before_its_settings_whatever_the_order() -> None:
    data = {"estimator": {"use": "single"}}
    assert applied(data, "estimator.k=3", "estimator.use=mte") == {"estimator": {"use": "mte", "k": 3}}


def test_a_number_in_the_path_is_a_place_in_an_array() -> None:
    data = {"reward": [{"use": "a", "weight": 1}, {"use": "b"}]}
    assert applied(data, "reward.0.weight=2", "reward.1={use='c'}") == {
        "reward": [{"use": "a", "weight": 2}, {"use": "c"}]
    }


def test_a_use_at_the_very_top_drops_nothing() -> None:
    assert applied({"run": {"seed": 1}}, "use=x") == {"run": {"seed": 1}, "use": "x"}


def test_the_last_of_two_sets_holds() -> None:
    assert applied({}, "run.seed=1", "run.seed=2") == {"run": {"seed": 2}}
