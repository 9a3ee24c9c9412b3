"""How many tokens a selector or an estimator will touch, told from its settings before any token is drawn."""

from functools import singledispatch

import attrs

from margrpo.components import estimator as estimators
from margrpo.components import selector as selectors
from margrpo.maths.uncertainty import share


@attrs.frozen
class Stage:
    """One AR step of one image: its tokens, those unknown at its input, those it commits, and its guidance."""

    tokens: int
    unknown: int
    committed: int
    scale: float

    @property
    def left(self) -> int:
        """Unknown tokens that a later step commits."""
        return self.unknown - self.committed


@attrs.frozen
class Count:
    """The most that a number can be and its mean: equal where the recipe fixes it, None where the mean is not known."""

    most: int
    mean: float | None

    def __add__(self, other: "Count") -> "Count":
        known = self.mean is not None and other.mean is not None
        return Count(self.most + other.most, self.mean + other.mean if known else None)  # type: ignore[operator]

    def __mul__(self, factor: int) -> "Count":
        return Count(self.most * factor, None if self.mean is None else self.mean * factor)

    @property
    def is_fixed(self) -> bool:
        """Whether the recipe fixes it."""
        return self.mean == self.most


def fixed(number: int) -> Count:
    """A number that the recipe fixes."""
    return Count(number, number)


@attrs.frozen
class Extent:
    """A set of tokens: its expected share of those a step commits and of those it leaves, and its largest size.

    The shares are upper bounds where they are not `known`. With `last_too` one of the tokens that the last step commits
    counts as if it were left.
    """

    committed: float = 1.0
    left: float = 1.0
    most: int | None = None
    known: bool = True
    last_too: bool = False

    def __and__(self, other: "Extent") -> "Extent":
        sizes = [size for size in (self.most, other.most) if size is not None]
        known = self.known and other.known
        most, last_too = min(sizes) if sizes else None, self.last_too or other.last_too
        return Extent(self.committed * other.committed, self.left * other.left, most, known, last_too)

    def at(self, stage: Stage) -> Count:
        """Its size at one AR step of one image."""
        left = max(stage.left, self.last_too)
        most = stage.committed * (self.committed > 0) + left * (self.left > 0)
        mean = stage.committed * self.committed + left * self.left
        return Count(most if self.most is None else min(most, self.most), mean if self.known else None)


@singledispatch
def extent(selector: object, tokens: int) -> Extent:
    """What a selector marks of the unknown tokens; of one that is not ours only the bound is known: all of them."""
    return Extent(known=selector is None)


@extent.register
def _(selector: selectors.Every, tokens: int) -> Extent:
    return Extent()


@extent.register
def _(selector: selectors.Committed, tokens: int) -> Extent:
    return Extent(left=0.0)


@extent.register
def _(selector: selectors.Uncommitted, tokens: int) -> Extent:
    return Extent(committed=0.0, last_too=selector.last_too)


@extent.register(selectors.Uncertain)
@extent.register(selectors.Random)
def _(selector: selectors.Uncertain | selectors.Random, tokens: int) -> Extent:
    count = share(selector.fraction, tokens)
    return Extent(count / tokens, count / tokens, count) & extent(selector.within, tokens)


@extent.register
def _(selector: selectors.Consistent, tokens: int) -> Extent:
    return attrs.evolve(extent(selector.within, tokens), known=False)


@singledispatch
def resampled(estimator: object, tokens: int) -> tuple[int, Extent]:
    """How many chains an estimator scores for how many tokens; the others have one."""
    return max(1, estimator.needs().trajectories), Extent(known=False)  # type: ignore[attr-defined]


@resampled.register
def _(estimator: estimators.Single, tokens: int) -> tuple[int, Extent]:
    return 1, Extent()


@resampled.register(estimators.MultiTrajectory)
@resampled.register(estimators.RaoBlackwell)
def _(estimator: estimators.MultiTrajectory | estimators.RaoBlackwell, tokens: int) -> tuple[int, Extent]:
    return estimator.trajectories, extent(estimator.where, tokens)


def scored(selector: object, estimator: object, stage: Stage) -> Count:
    """The chains that are scored at one AR step of one image whose advantage is not 0."""
    selected = extent(selector, stage.tokens)
    chains, among = resampled(estimator, stage.tokens)
    return selected.at(stage) + (selected & among).at(stage) * (chains - 1)
