"""The recipes for the published MAR models, none of whose checkpoints is here."""

from pathlib import Path

import pytest

from margrpo.plan.memory import memory
from margrpo.recipe import Recipe, load
from margrpo.recipe.fit import check_geometry

RECIPES = Path(__file__).parents[2] / "recipes"
SIZES = ("base", "large", "huge")


def recipe(size: str) -> Recipe:
    made = load(RECIPES / f"mar_{size}.toml")
    assert isinstance(made, Recipe)
    return made


@pytest.mark.parametrize("size", SIZES)
def test_each_is_sound_without_its_checkpoint(size: str) -> None:
    made = recipe(size)
    check_geometry(made)
    assert made.policy.size == size
    assert made.policy.checkpoint == f"pretrained_models/mar/mar_{size}/checkpoint-last.pth"
    assert made.codec.checkpoint == "pretrained_models/vae/kl16.ckpt"


@pytest.mark.parametrize(
    ("size", "parameters"), [("base", "207,924,768"), ("large", "478,326,304"), ("huge", "942,403,104")]
)
def test_each_fits_on_a_gpu_of_80_gb_with_the_codec_beside_it(size: str, parameters: str) -> None:
    found = memory(recipe(size))
    assert found is not None
    assert found.peak < 70e9
    assert parameters in found.held[0].formula


@pytest.mark.parametrize("size", SIZES)
def test_each_draws_as_the_public_code_does_in_64_steps(size: str) -> None:
    made = recipe(size)
    assert (made.unmasking.steps, made.sampler.steps) == (64, 25)
    scales = [made.guidance.scale(256, after) for after in made.unmasking.counts(256)[1:]]
    assert scales[0] == pytest.approx(1 + 2 * (256 - 255) / 256)
    assert scales[-1] == pytest.approx(1 + 2 * (256 - 1) / 256)


@pytest.mark.parametrize("size", SIZES)
def test_each_has_held_out_pictures_for_its_looks(size: str) -> None:
    made = recipe(size)
    assert made.run.eval_prompts < made.run.held_out <= len(made.prompts.held_out())
    assert made.prompts.of_class("golden retriever").text == "a photo of a golden retriever"
