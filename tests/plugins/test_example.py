import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from margrpo.errors import RecipeError
from margrpo.plugin.registry import Registry
from margrpo.recipe.explain import schema
from margrpo.recipe.fit import check_fit
from margrpo.recipe.read import read
from margrpo.recipe.structure import structure, unstructure

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "margrpo-example"
IDS = [
    *("estimator.integrated", "policy.bag", "reward.colourfulness", "sampler.posterior", "selector.disputed"),
]


def recipe(*sets: str) -> dict[str, object]:
    random = ("policy.weights=random", "codec.weights=random")
    return read(ROOT / "recipes" / "quickstart.toml", (*random, *sets))


USED = (
    'reward=[{ use = "colourfulness", enough = 80.0 }]',
    "selector.use=disputed",
    'selector.within={ use = "uncommitted" }',
)


def test_its_components_come_with_the_distribution(among: Registry) -> None:
    ours = [entry for entry in among.entries() if among.distribution(entry) == "margrpo-example"]
    assert [entry.id for entry in ours] == IDS
    assert all(entry.summary for entry in ours)


@pytest.mark.parametrize("entry_id", IDS)
def test_each_component_meets_its_contract(among: Registry, entry_id: str) -> None:
    kind, _, name = entry_id.partition(".")
    assert among.load(among.find(kind, name)).__module__ == f"margrpo_example.{name}"


def test_its_modules_are_imported_without_torch() -> None:
    names = "margrpo_example.colourfulness, margrpo_example.disputed"
    source = f"import sys, {names}\nsys.exit('torch' in sys.modules)"
    path = os.pathsep.join([str(PLUGIN), str(ROOT)])
    done = subprocess.run([sys.executable, "-c", source], check=False, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0


def test_a_recipe_that_uses_it_structures_and_fits(among: Registry) -> None:
    made = structure(recipe(*USED), among=among)
    check_fit(made, among=among)
    resolved = unstructure(made, among=among)
    assert resolved["reward"] == [{"use": "colourfulness", "weight": 1.0, "enough": 80.0}]
    within = {"use": "uncommitted", "last_too": False}
    assert resolved["selector"] == {"use": "disputed", "fraction": 0.3, "within": within}
    assert structure(resolved, among=among) == made


def test_without_it_the_recipe_is_refused_by_name() -> None:
    with pytest.raises(RecipeError) as caught:
        structure(recipe(*USED), among=Registry())
    assert any("there is no reward named 'colourfulness'" in problem for problem in caught.value.problems)
    assert any("there is no selector named 'disputed'" in problem for problem in caught.value.problems)


def test_its_checks_speak_with_the_path_of_the_recipe(among: Registry) -> None:
    with pytest.raises(RecipeError) as caught:
        structure(recipe("selector.use=disputed", "selector.fraction=2.0"), among=among)
    assert caught.value.problems == ("selector.fraction = 2.0 must be greater than 0 and at most 1",)


def test_the_schema_for_editors_knows_it(among: Registry) -> None:
    text = json.dumps(schema(among=among))
    assert '"const": "colourfulness"' in text
    assert "points above which more colour does not earn more" in text
