"""The per-token diffusion head of MAR, an MLP with adaptive layer norm, in two phases."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn


class Modulation(NamedTuple):
    """Shift, scale and gate of every block and shift and scale of the output: all that depends on (z, t)."""

    blocks: tuple[tuple[Tensor, Tensor, Tensor], ...]
    final: tuple[Tensor, Tensor]


def sinusoid(time: Num[Tensor, "..."], size: int = 256) -> Float[Tensor, "... {size}"]:
    """cat(cos, sin) of time · 10000^(−i / (size/2)), i < size/2   (transformer, section 3.5; as in dit)."""
    half = size // 2
    frequency = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=time.device) / half)
    angle = time.float()[..., None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class TimeEmbedding(nn.Module):
    """A sinusoid of the time through two linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: Num[Tensor, "..."]) -> Float[Tensor, "... w"]:
        return self.mlp(sinusoid(time).to(next(self.parameters()).dtype))


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (1 + scale) + shift   (dit, section 3.2)."""
    return x * (1 + scale) + shift


class ResBlock(nn.Module):
    """A gated residual MLP whose norm is modulated."""

    def __init__(self, width: int):
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def modulation(self, y: Float[Tensor, "*t m w"]) -> tuple[Tensor, Tensor, Tensor]:
        """Shift, scale and gate for y, which has been through the SiLU that all blocks share."""
        shift, scale, gate = self.adaLN_modulation[1](y).chunk(3, dim=-1)
        return shift, scale, gate

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor, gate: Tensor) -> Tensor:
        return x + gate * self.mlp(modulated(self.in_ln(x), shift, scale))


class FinalLayer(nn.Module):
    """A modulated norm without weights of its own, and a linear layer."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(width, channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return self.linear(modulated(self.norm_final(x), shift, scale))


class Denoiser(nn.Module):
    """From (x_t, t, z) to 2d channels: the prediction and the variance logit   (mar, section 3.2)."""

    def __init__(self, *, channels: int, condition: int, width: int, depth: int):
        super().__init__()
        self.time_embed = TimeEmbedding(width)
        self.cond_embed = nn.Linear(condition, width)
        self.input_proj = nn.Linear(channels, width)
        self.res_blocks = nn.ModuleList(ResBlock(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, 2 * channels)
        self.start_at_identity()

    def start_at_identity(self) -> None:
        """Zero every gate and the output, so that training starts from the identity   (dit, section 3.2)."""
        modulations = [part for name, part in self.named_modules() if name.endswith("adaLN_modulation.1")]
        for layer in (*modulations, self.final_layer.linear):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def prepare(self, z: Float[Tensor, "m c"], times: Float[Tensor, "... w"]) -> Modulation:
        """The modulation of every block, which does not depend on x; embedded times are broadcast to *t m w."""
        y = torch.nn.functional.silu(times + self.cond_embed(z))
        blocks = tuple(block.modulation(y) for block in self.res_blocks)  # type: ignore[operator]
        shift, scale = self.final_layer.adaLN_modulation[1](y).chunk(2, dim=-1)
        return Modulation(blocks, (shift, scale))

    def forward(self, x: Float[Tensor, "*k m d"], modulation: Modulation) -> Float[Tensor, "*k m e"]:
        """The raw output, e = 2d, for x whose leading axes share the modulation."""
        h = self.input_proj(x)
        for block, (shift, scale, gate) in zip(self.res_blocks, modulation.blocks, strict=True):
            h = block(h, shift, scale, gate)
        return self.final_layer(h, *modulation.final)
