"""How rewards become advantages within the group of images of one prompt; r is their weighted sum but for one."""

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
        """The standardised sum of each image; 0 where it is the same in all of a group."""
        return groups.standardised(rewards @ weights, group, eps=self.eps)


@component
class LeaveOneOut:
    """r minus the mean of the others in the group: unbiased, in units of reward   (rloo, eq. 8)."""

    smallest_group = 2

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The reward of each image over that of its peers."""
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
    """Each reward's own advantage, then their weighted sum: no reward is louder for its scale   (gdpo, section 3).

    The paper's second normalisation, over the whole batch, is left to the optimizer: it would scale all alike.
    """

    of: Advantage | None = setting(None, "how one reward becomes an advantage; group unless given")

    @property
    def smallest_group(self) -> int:
        """As many as the inner one compares."""
        return self._inner.smallest_group

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The weighted sum over the rewards."""
        one = torch.ones_like(weights[:1])
        each = [self._inner.advantages(rewards[:, [r]], one, group) for r in range(rewards.shape[1])]
        return torch.stack(each, dim=1) @ weights

    @property
    def _inner(self) -> Advantage:
        return self.of or Group()
