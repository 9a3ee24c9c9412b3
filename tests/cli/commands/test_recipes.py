import tomllib

from margrpo.recipe import load, unstructure
from tests.cli.command import QUICKSTART, RANDOM, run, setting


def test_a_sound_recipe_is_ok() -> None:
    done = run("recipes", "check", QUICKSTART, *setting(*RANDOM))
    assert done.exit_code == 0
    assert done.stdout.startswith(f"ok  {QUICKSTART}  training, ")


def test_every_recipe_is_checked_though_one_is_broken() -> None:
    done = run("recipes", "check", "nowhere.toml", QUICKSTART, *setting(*RANDOM))
    assert done.exit_code == 2
    assert done.stderr.startswith("error: nowhere.toml: cannot be read")
    assert done.stdout.startswith(f"ok  {QUICKSTART}")


def test_a_shown_recipe_is_toml_that_means_the_same() -> None:
    done = run("recipes", "show", QUICKSTART, *setting(*RANDOM, "sampler.steps=7"))
    assert tomllib.loads(done.stdout) == unstructure(load(QUICKSTART, [*RANDOM, "sampler.steps=7"]))
    assert "# diffusion steps of a token" in done.stdout
