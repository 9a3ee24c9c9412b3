"""Advantages within the group of images of one prompt; r is the weighted sum of rewards, except in `decoupled`."""

from jaxtyping import Float, Int

from margrpo.contracts import Advantage
from margrpo.declare import component, positive, setting
from margrpo.lazy import Tensor, torch
from margrpo.maths import groups


@component
class Group:
    """(r − mean)/(std + ε) with the unbiased std of the group   (grpo, section 4.1.2)."""

    eps: float = setting(1e-4, "added to the std, in units of reward", check=positive)
    smallest_group = 2

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The standardised sum of each image; 0 if all sums of a group are equal."""
        return groups.standardised(rewards @ weights, group, eps=self.eps)


@component
class LeaveOneOut:
    """r minus the mean of the group's other images: unbiased, in units of reward   (rloo, eq. 8)."""

    smallest_group = 2

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The reward of each image minus the mean of the group's other images."""
        return groups.leave_one_out(rewards @ weights, group)


@component
class Unscaled:
    """r − mean of the group, not divided by its std, so easy prompts do not weigh more   (dr_grpo, section 3.2)."""

    smallest_group = 2

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The centred reward of each image."""
        return groups.centred(rewards @ weights, group)


@component
class Decoupled:
    """The weighted sum of each reward's own advantage; the scale of a reward does not matter   (gdpo, section 3).

    The paper's second normalisation, over the whole batch, is left to the optimizer, because it scales all advantages
    alike.
    """

    of: Advantage | None = setting(None, "advantage of a single reward; default: group")

    @property
    def smallest_group(self) -> int:
        """The least group of the inner advantage."""
        return self._inner.smallest_group

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The weighted sum of the rewards' advantages."""
        one = torch.ones_like(weights[:1])
        each = [self._inner.advantages(rewards[:, [r]], one, group) for r in range(rewards.shape[1])]
        return torch.stack(each, dim=1) @ weights

    @property
    def _inner(self) -> Advantage:
        return self.of or Group()
