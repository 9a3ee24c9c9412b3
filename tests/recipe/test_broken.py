from pathlib import Path

import pytest

from margrpo.errors import RecipeError
from margrpo.recipe import Recipe, load
from tests.recipe.broken import BROKEN, GOOD, Broken


def test_the_good_recipe_is_good(tmp_path: Path) -> None:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    assert isinstance(load(path), Recipe)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.name)
def test_a_broken_recipe_is_refused_with_exactly_its_sentences(case: Broken, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(case.text)
    with pytest.raises(RecipeError) as caught:
        load(path, case.sets)
    assert caught.value.problems == case.sentences
    assert str(caught.value) == "\n".join(f"{path}: {sentence}" for sentence in case.sentences)


def test_every_broken_recipe_has_its_own_name() -> None:
    assert len({case.name for case in BROKEN}) == len(BROKEN)
