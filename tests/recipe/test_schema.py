import attrs
import pytest

from margrpo.declare import SettingError
from margrpo.plugin.registry import Registry
from margrpo.recipe.schema import Pretraining, PretrainRun, Recipe, Run

KINDS = Registry().kinds


@pytest.mark.parametrize("cls", [Recipe, Pretraining, Run, PretrainRun])
def test_every_key_has_a_meaning(cls: type) -> None:
    assert [field.name for field in attrs.fields(cls) if not field.metadata["meaning"]] == []


@pytest.mark.parametrize("cls", [Recipe, Pretraining])
def test_a_table_that_is_called_like_a_kind_is_of_that_kind(cls: type) -> None:
    for field in attrs.fields(cls):
        if field.name in KINDS and not KINDS[field.name].many:
            assert KINDS.of(field.type) is KINDS[field.name]


def test_every_kind_is_a_table_of_a_recipe_unless_it_comes_nested_or_is_no_part_of_one() -> None:
    tables = {field.name for cls in (Recipe, Pretraining) for field in attrs.fields(cls)}
    assert set(KINDS) - tables == {"conditioner", "on_failure", "parameterization", "reference", "suite"}


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:3"])
def test_a_device_is_named_as_torch_names_it(device: str) -> None:
    assert Run(device=device).device == device


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_another_device_is_refused(device: str) -> None:
    with pytest.raises(SettingError, match="device = "):
        Run(device=device)
