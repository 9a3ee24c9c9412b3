"""Advantages within groups of images that share a prompt."""

from jaxtyping import Float, Int

from margrpo.lazy import Tensor, torch


def group_mean(x: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """The mean of x over the group of each image."""
    groups = int(group.max()) + 1
    total = torch.zeros(groups, dtype=x.dtype, device=x.device).index_add(0, group, x)
    return (total / group_size(group, groups))[group]


def group_size(group: Int[Tensor, "b"], groups: int) -> Float[Tensor, "g"]:
    """The number of images of each group, at least 1 so that it can divide."""
    return torch.bincount(group, minlength=groups).clamp(min=1).float()


def centred(x: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """x − mean_group, exactly 0 if all values of the group are equal."""
    residual = x - group_mean(x, group)
    return torch.where(spread(x, group) > 0, residual, torch.zeros_like(residual))


def spread(x: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """max − min of the group of each image: 0 exactly, not up to rounding, where all are equal."""
    groups = int(group.max()) + 1
    high = torch.full((groups,), -torch.inf, dtype=x.dtype, device=x.device).scatter_reduce(0, group, x, "amax")
    low = torch.full((groups,), torch.inf, dtype=x.dtype, device=x.device).scatter_reduce(0, group, x, "amin")
    return (high - low)[group]


def standardised(x: Float[Tensor, "b"], group: Int[Tensor, "b"], *, eps: float = 1e-4) -> Float[Tensor, "b"]:
    """(x − mean_group) / (std_group + eps), unbiased std   (grpo, section 4.1.2)."""
    return centred(x, group) / (deviation(x, group) + eps)


def deviation(x: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """The unbiased std of the group of each image, exactly 0 if all values of the group are equal."""
    size = group_size(group, int(group.max()) + 1)[group]
    return (group_mean(centred(x, group) ** 2, group) * size / (size - 1).clamp(min=1)).sqrt()


def correlation(x: Float[Tensor, "b"], y: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, ""]:
    """Pearson's correlation of x and y within groups; 0 if x or y does not vary within any group.

    ρ = Σ x̃ ỹ / √(Σ x̃² Σ ỹ²) with x̃ = x − mean_group: differences between prompts do not count.
    """
    x, y = centred(x.double(), group), centred(y.double(), group)
    scale = (x.square().sum() * y.square().sum()).sqrt()
    return torch.where(scale > 0, (x * y).sum() / scale, 0.0).float()


def leave_one_out(x: Float[Tensor, "b"], group: Int[Tensor, "b"]) -> Float[Tensor, "b"]:
    """x minus the mean of the other values of its group, (x − mean) · g/(g − 1)   (rloo, eq. 8)."""
    size = group_size(group, int(group.max()) + 1)[group]
    return centred(x, group) * size / (size - 1).clamp(min=1)
