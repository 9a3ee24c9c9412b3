"""The tokens on which the images of one prompt differ."""

from jaxtyping import Bool, Float, Int

from margrpo import between, component, setting
from margrpo.contracts import Selector
from margrpo.lazy import Tensor, torch
from margrpo.maths.uncertainty import largest
from margrpo.records import ARStep, Extent, Needs, Rollout


def disagreement(tokens: Float[Tensor, "b n d"], group: Int[Tensor, "b"]) -> Float[Tensor, "b n"]:
    """The std of each channel over the images of a group, not unbiased, averaged over channels."""
    return torch.stack([tokens[group == one].std(0, unbiased=False).mean(-1) for one in group])


@component
class Disputed:
    """The places at which the finished images of one prompt differ most: uncertainty without drawing chains.

    A place at which all images of a group agree cannot cause a difference in reward. The choice is equal for all images
    of a group. It depends on the finished tokens, so the update is not exactly the policy gradient.
    """

    fraction: float = setting(0.3, "share of the image's n tokens, at least one", check=between(0, 1, open_low=True))
    within: Selector | None = setting(None, "candidate tokens; default: the committed tokens")

    def needs(self) -> Needs:
        """The needs of the candidates."""
        return self.within.needs() if self.within else Needs()

    def extent(self, tokens: int) -> Extent:
        """The share of the tokens, among the candidates."""
        count = self.count(tokens)
        candidates = self.within.extent(tokens) if self.within else Extent(left=0.0)
        return candidates & Extent(count / tokens, count / tokens, count)

    def count(self, tokens: int) -> int:
        """⌊fraction · n⌋, at least 1."""
        return max(1, int(self.fraction * tokens))

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """The candidates among the ⌊fraction · n⌋ most disputed tokens of the whole image."""
        score = disagreement(rollout.tokens, rollout.prompts.group)
        candidates = self.within.select(rollout, step) if self.within else step.committed
        return largest(score, self.count(score.shape[1])) & candidates
