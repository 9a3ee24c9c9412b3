import tomllib
from typing import Any

import attrs
import pytest

from margrpo.components.parallel import Ddp
from margrpo.components.reward.cached import Cached
from margrpo.components.selector import Random
from margrpo.declare import component, setting
from margrpo.errors import MargrpoError, WeightsError
from margrpo.recipe.requirements import missing, require_all
from margrpo.recipe.schema import Recipe
from margrpo.recipe.structure import structure
from margrpo.recipe.walk import components
from tests.recipe.broken import GOOD


@component
class Wanting:
    """A component of any kind that misses a file."""

    file: str = setting("a", "the file")
    weight: float = setting(1.0, "factor")

    def require(self) -> None:
        raise WeightsError(f"{self.file} is missing")


@component
class Forwarding:
    """A component that asks for what a nested one asks for too."""

    of: Any = setting(meaning="the other")

    def require(self) -> None:
        self.of.require()


def made(**parts: Any) -> Recipe:
    """A sound recipe, in which some components are replaced."""
    return attrs.evolve(structure(tomllib.loads(GOOD)), **parts)


def test_components_are_walked_at_any_depth_each_with_its_place() -> None:
    nested = Cached(of=Cached(of=Wanting()))
    recipe = made(reward=(Wanting(), nested), selector=Random(within=Wanting()))
    found = dict(components(recipe))
    assert (found[""], found["reward.1"], found["reward.1.of.of"]) == (recipe, nested, nested.of.of)
    assert "selector.within" in found


def test_every_component_that_misses_something_is_named_once_and_parallel_is_not_asked() -> None:
    parts = {"sampler": Wanting(file="b"), "penalty": Wanting(file="c"), "selector": Random(within=Wanting(file="d"))}
    recipe = made(parallel=Ddp(), reward=(Forwarding(of=Wanting()),), **parts)
    assert missing(recipe) == ["b is missing", "a is missing", "d is missing", "c is missing"]


def test_the_first_that_is_missing_is_raised() -> None:
    with pytest.raises(MargrpoError, match=r"^z is missing$"):
        require_all(Cached(of=Wanting(file="z")))
