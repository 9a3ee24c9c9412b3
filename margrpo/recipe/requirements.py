"""Files and packages that components require, checked by `require()` before anything is loaded."""

from collections.abc import Iterator
from typing import Any

from margrpo.contracts import HasRequirements, Parallel
from margrpo.errors import MargrpoError
from margrpo.recipe.walk import components


def requirements(settings: Any) -> Iterator[HasRequirements]:
    """Yield each component with a `require()`, at any depth, except `parallel`, whose check needs a number."""
    for _, part in components(settings):
        if isinstance(part, HasRequirements) and not isinstance(part, Parallel):
            yield part


def require_all(settings: Any) -> None:
    """Raise the first error of a component, at any depth, whose file or package is missing."""
    for part in requirements(settings):
        part.require()


def missing(settings: Any) -> list[str]:
    """A sentence for each missing file or package of a component, at any depth."""
    sentences: dict[str, None] = {}
    for part in requirements(settings):
        try:
            part.require()
        except MargrpoError as error:
            sentences[str(error)] = None  # a component that wraps another may ask for it too
    return list(sentences)
