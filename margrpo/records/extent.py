"""Records of planned numbers of tokens and chains, computed from settings before any token is drawn."""

import attrs


@attrs.frozen
class Stage:
    """A planned AR step of one image.

    - `tokens`: tokens of the image
    - `unknown`: tokens that are unknown at the input of the step
    - `committed`: tokens that the step commits
    - `scale`: the scale of guidance in the rollout
    """

    tokens: int
    unknown: int
    committed: int
    scale: float

    @property
    def left(self) -> int:
        """The number of unknown tokens that later AR steps commit."""
        return self.unknown - self.committed


@attrs.frozen
class Count:
    """A number of tokens, chains or passes that a recipe bounds.

    - `most`: the largest that the number can be
    - `mean`: its mean, equal to `most` if the recipe fixes it, None if it is not known
    """

    most: int
    mean: float | None

    def __add__(self, other: "Count") -> "Count":
        mean = None if self.mean is None or other.mean is None else self.mean + other.mean
        return Count(self.most + other.most, mean)

    def __mul__(self, factor: int) -> "Count":
        return Count(self.most * factor, None if self.mean is None else self.mean * factor)

    @property
    def is_fixed(self) -> bool:
        """Whether the recipe fixes the number."""
        return self.mean == self.most


def fixed(number: int) -> Count:
    """A number that the recipe fixes."""
    return Count(number, number)


@attrs.frozen
class Extent:
    """Bounds on the tokens that a selector selects among the unknown tokens of an AR step; by default all of them.

    - `committed`: expected share of the tokens that the step commits; 0 selects none of them
    - `left`: expected share of the tokens that the step leaves unknown; 0 selects none of them
    - `most`: largest number of selected tokens; None if only the shares bound it
    - `known`: whether the shares are exact; otherwise they are upper bounds
    - `last_too`: whether the last AR step, which leaves no token, counts as if it left one
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
        """The number of selected tokens at one AR step of one image."""
        left = max(stage.left, self.last_too)
        most = stage.committed * (self.committed > 0) + left * (self.left > 0)
        mean = stage.committed * self.committed + left * self.left
        return Count(most if self.most is None else min(most, self.most), mean if self.known else None)


@attrs.frozen
class Chains:
    """Bounds on the chains that an estimator scores for a selected token; by default only the main chain.

    - `per_token`: chains of each token that `among` bounds; any other token has 1
    - `among`: bounds on the tokens that have several chains
    """

    per_token: int = 1
    among: Extent = Extent()

    def scored(self, selected: Extent, stage: Stage) -> Count:
        """The number of chains scored at one AR step of one image, with these bounds on its selected tokens."""
        return selected.at(stage) + (selected & self.among).at(stage) * (self.per_token - 1)
