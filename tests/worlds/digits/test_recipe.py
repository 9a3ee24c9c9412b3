import json
import sys
from pathlib import Path

import pytest
import torch

from margrpo.components.reward.digits import Digits
from margrpo.errors import RecipeError
from margrpo.recipe import Recipe, load
from margrpo.train.assemble import pipeline_of
from margrpo.train.loop import train
from margrpo.train.verdict.scorers import build_rewards
from margrpo.train.watch.held_out import validate
from margrpo.worlds import digits

RECIPES = Path(__file__).parents[3] / "recipes"
TUNING = RECIPES / "digits.toml"


def recipe(*sets: str) -> Recipe:
    made = load(TUNING, sets)
    assert isinstance(made, Recipe)
    return made


def test_the_names_of_the_classes_are_those_of_the_digits_in_order():
    held_out = recipe().prompts.held_out()
    named = {(entry["name"], label) for entry, label in zip(held_out.metadata, held_out.label.tolist(), strict=True)}
    assert named == {(name, digit) for digit, name in enumerate(digits.NAMES)}
    assert torch.bincount(held_out.label).tolist() == [100] * 10


def test_the_shipped_model_draws_grey_digits_of_which_the_judge_reads_the_documented_share():
    # Three standard deviations of 500 images, 0.066, are left in one seed of 370; the seed is fixed.
    tuning = recipe()
    prompts = tuning.prompts.held_out().part(slice(500))
    seen = validate(pipeline_of(tuning), prompts, build_rewards((Digits(classifier="judge", by="accuracy"),), "cpu"), 0)
    assert float(seen.scores.mean()) == pytest.approx(0.633, abs=0.066)
    assert torch.allclose(seen.images, seen.images.mean(1, keepdim=True), atol=1e-5)


def test_an_update_of_the_recipe_runs_and_is_judged_before_and_after(tmp_path: Path):
    sets = ["run.steps=1", "run.held_out=20", "run.eval_prompts=10", "run.eval_every=1", "prompts.prompts=2"]
    summary = train(recipe(*sets), tmp_path / "run")
    assert summary is not None
    assert summary["held_out"]["prompts"] == 20
    (line,) = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert -10 <= line["reward"] <= 0
    assert 0 <= line["held_out"] <= 1


@pytest.mark.parametrize(
    ("name", "tables"), [("digits.toml", ["measure", "reward.0"]), ("digits_base.toml", ["dataset", "measure"])]
)
def test_without_scikit_learn_a_recipe_is_refused_with_what_to_install(
    name: str, tables: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(RecipeError) as caught:
        load(RECIPES / name)
    said = 'scikit-learn, which carries the handwritten digits, is not installed; pip install "margrpo[digits]"'
    assert sorted(caught.value.problems) == [f"{table} is refused: {said}" for table in tables]
