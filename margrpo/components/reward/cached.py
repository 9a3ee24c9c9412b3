"""A reward that remembers its scores."""

from collections.abc import Sequence

from margrpo.contracts import OnFailure, Reward, Scorer, ShipsCases
from margrpo.declare import at_least, component, setting
from margrpo.records import Case, Traits


@component
class Cached:
    """Cache around another reward, which scores each image and prompt only once.

    Images come again in validations before the weights have moved, and in evaluations, but not in training. A score is
    remembered by the SHA-256 of the image's values and of the fields of the prompt that the reward reads.
    """

    of: Reward = setting(meaning="reward whose scores are remembered")
    entries: int = setting(65536, "number of latest scores to remember; each takes some 150 bytes", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum; the inner reward's weight is not used")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    @property
    def wraps(self) -> Reward:
        """The reward whose scores are remembered."""
        return self.of

    @property
    def traits(self) -> Traits:
        """The traits of the inner reward."""
        return self.of.traits

    def problems(self) -> list[str]:
        """A sentence if the inner reward is not deterministic."""
        return [] if self.traits.deterministic else ["of is not deterministic, so its scores cannot be remembered"]

    def cases(self) -> Sequence[Case]:
        """The cases of the inner reward."""
        return self.of.cases() if isinstance(self.of, ShipsCases) else ()

    def build(self, device: str) -> Scorer:
        """Make the inner reward's scorer behind a cache."""
        from margrpo.remote.cache import CachingScorer

        return CachingScorer(self.of.build(device), (*self.traits.reads, *self.traits.may_read), self.entries)
