import json
from pathlib import Path

import torch
from rich.table import Table

from margrpo.cli.commands.variance import estimator_table, finite, own, transition_table
from margrpo.evaluate.spread import EstimatorComparison, Spread
from margrpo.run_folder import RunFolder
from tests.cli.command import QUICKSTART, TINY, run, setting


def test_variance_prints_both_tables_and_writes_the_figures(tmp_path: Path) -> None:
    # The shipped weights: with random ones every image is a blur, whose rewards are all equal.
    sets = setting("prompts.prompts=1", "prompts.group=4", "timesteps={use='random', ar_steps=2, transitions=2}")
    counts = ("--images", "4", "--replicates", "2", "--batches", "2")
    done = run("variance", QUICKSTART, *sets, *counts, "--json", tmp_path / "figures.json")
    assert done.exit_code == 0, done.output
    assert "Total variance of the gradient" in done.stdout
    assert "Signal-to-noise of the gradient" in done.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [row["trajectories"] for row in figures["estimators"]] == [1, 2, 4, 8]
    assert [row["t"] for row in figures["transitions"]] == sorted(
        (row["t"] for row in figures["transitions"]), reverse=True
    )
    for row in (*figures["estimators"], *figures["transitions"]):
        assert list(row["variance"]) == ["multi_trajectory", "rao_blackwell"]
        assert list(row["ratio"]) == list(row["disagreement"]) == ["rao_blackwell"]
    assert set(figures["weightings"]) == {"density", "std", "variance"}


def test_each_estimator_has_a_column_and_is_compared_with_the_first() -> None:
    plain, other = Spread(torch.tensor([0.0, 0.0]), 8.0, 3), Spread(torch.tensor([3.0, 4.0]), 4.0, 3)
    two = EstimatorComparison(1, {"one": plain, "two": other})
    three = EstimatorComparison(1, {"one": plain, "two": other, "three": plain})
    assert heads(estimator_table([two], 8, 3)) == ["K", "one", "two", "ratio", "disagreement"]
    assert heads(transition_table({4: two})) == ["t", "one", "two", "ratio"]
    wide = estimator_table([three], 8, 3)
    compared = ["ratio two", "ratio three", "disagreement two", "disagreement three"]
    assert heads(wide) == ["K", "one", "two", "three", *compared]
    assert [next(iter(column.cells)) for column in wide.columns] == [
        *("1", "8", "4", "8", "0.500", "1.000", "2.50", "0.00")
    ]


def heads(table: Table) -> list[str]:
    return [str(column.header) for column in table.columns]


def test_variance_without_any_advantage_says_so() -> None:
    done = run("variance", QUICKSTART, *setting(*TINY), "--images", "1", "--replicates", "2", "--batches", "2")
    assert done.exit_code == 2
    assert "no image of the rollout has an advantage" in done.stderr


def test_a_folder_for_the_figures_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    done = run("variance", QUICKSTART, "--json", tmp_path / "none" / "figures.json")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr


def test_a_runs_folder_stands_for_its_recipe_and_its_newest_weights(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run("train", QUICKSTART, *setting(*TINY, "run.maps=0"), "--out", folder).exit_code == 0
    recipe = own(folder, ["run.seed=3"])
    assert recipe.policy.checkpoint == str(RunFolder(folder).newest_weights())
    assert recipe.run.seed == 3
    assert own(Path(QUICKSTART), None).policy.checkpoint != recipe.policy.checkpoint


def test_what_is_no_number_is_null_in_the_file() -> None:
    assert finite({"a": [float("nan"), {"b": float("inf")}], "c": 1.5}) == {"a": [None, {"b": None}], "c": 1.5}
