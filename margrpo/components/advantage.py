"""How rewards become advantages within the group of images of one prompt."""

from jaxtyping import Float, Int

from margrpo.declare import component, positive, setting
from margrpo.lazy import Tensor
from margrpo.maths import groups


@component
class Group:
    """(r − mean)/(std + ε) with the unbiased std of the group   (grpo, section 4.1.2)."""

    eps: float = setting(1e-4, "added to the std, in units of reward", check=positive)
    smallest_group = 2

    def advantages(self, reward: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The standardised reward of each image; 0 where a group's rewards are all equal."""
        return groups.standardised(reward, group, eps=self.eps)


@component
class LeaveOneOut:
    """r minus the mean of the others in the group: unbiased, in units of reward   (rloo, eq. 8)."""

    smallest_group = 2

    def advantages(self, reward: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The reward of each image over that of its peers."""
        return groups.leave_one_out(reward, group)


@component
class Unscaled:
    """r − mean of the group, not divided by its std, so easy prompts do not weigh more   (dr_grpo, section 3.2)."""

    smallest_group = 2

    def advantages(self, reward: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
        """The centred reward of each image."""
        return groups.centred(reward, group)
