"""A reward that remembers what it has said."""

from collections.abc import Sequence

from margrpo.contracts import OnFailure, Reward, Scorer, ShipsCases
from margrpo.declare import at_least, component, setting
from margrpo.records import Case, Traits


@component
class Cached:
    """Another reward, asked once about each image and prompt: of use where the same images come again.

    In training they do not, but in looks at held-out prompts before the weights have moved, and in evaluations. What is
    remembered is known by the SHA-256 of the image's values and what the reward reads of the prompt.
    """

    of: Reward = setting(meaning="the reward whose scores are remembered")
    entries: int = setting(65536, "scores that are remembered, the latest; one takes some 150 bytes", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum; that of the inner one is not used")
    on_failure: OnFailure | None = setting(None, "what is done when it fails; the run ends unless given")

    @property
    def wraps(self) -> Reward:
        """The reward whose scores are remembered."""
        return self.of

    @property
    def traits(self) -> Traits:
        """Those of the reward."""
        return self.of.traits

    def problems(self) -> list[str]:
        """A sentence where the reward is not deterministic."""
        return [] if self.traits.deterministic else ["of is not deterministic, so its scores cannot be remembered"]

    def cases(self) -> Sequence[Case]:
        """The pictures that the reward ships."""
        return self.of.cases() if isinstance(self.of, ShipsCases) else ()

    def build(self, device: str) -> Scorer:
        """The reward's scorer behind a memory."""
        from margrpo.remote.cache import CachingScorer

        return CachingScorer(self.of.build(device), (*self.traits.reads, *self.traits.may_read), self.entries)
