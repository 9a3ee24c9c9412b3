import json
from pathlib import Path

from tests.cli.command import QUICKSTART, run


def test_a_machine_that_is_well_passes_and_a_toy_run_learns(tmp_path: Path) -> None:
    done = run("doctor", "--json", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    findings = json.loads(done.stdout)
    assert {each["status"] for each in findings} <= {"pass", "warn"}
    (toy,) = [each for each in findings if each["what"] == "toy run"]
    assert toy["said"].startswith("three steps: brightness 0.")
    assert toy["said"].endswith("replay parity held")


def test_a_recipe_is_checked_and_a_failed_check_is_the_exit_code(tmp_path: Path) -> None:
    sets = ("--set", "prompts.prompts=2", "--set", "prompts.group=2", "--out", tmp_path)
    done = run("doctor", QUICKSTART, *sets)
    assert done.exit_code == 0, done.output
    assert "pass  its rewards   shapes: 0." in done.stdout
    done = run("doctor", QUICKSTART, "--set", "estimator.trajectoris=5", *sets)
    assert done.exit_code == 2
    assert "fail  recipe" in done.stdout
    assert "its memory" not in done.stdout


def test_what_is_set_without_a_recipe_is_refused() -> None:
    done = run("doctor", "--set", "run.steps=3")
    assert done.exit_code == 2
    assert "--set changes a recipe, but no recipe is given" in done.stderr
