"""The transformer block of MAE and MAR over packed sequences, with attention left to a component."""

from collections.abc import Callable, Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor, Sequence[int], float], Tensor]


class Attention(nn.Module):
    """Multi-head self-attention within each sequence, no mask."""

    def __init__(self, width: int, heads: int, attend: Attend, dropout: float):
        super().__init__()
        self.heads, self.attend = heads, attend
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "l c"], lengths: Sequence[int]) -> Float[Tensor, "l c"]:
        q, k, v = rearrange(self.qkv(x), "l (three h e) -> three l h e", three=3, h=self.heads)
        seen = self.attend(q, k, v, lengths, self.proj_drop.p if self.training else 0.0)
        return self.proj_drop(self.proj(rearrange(seen, "l h e -> l (h e)")))


class Mlp(nn.Module):
    """Two linear layers with a GELU between, four times as wide inside."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "l c"]) -> Float[Tensor, "l c"]:
        return self.drop(self.fc2(self.drop(torch.nn.functional.gelu(self.fc1(x)))))


class Block(nn.Module):
    """Pre-norm attention and MLP, each with a residual."""

    def __init__(self, width: int, heads: int, attend: Attend, dropout: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, attend, dropout)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, dropout)

    def forward(self, x: Float[Tensor, "l c"], lengths: Sequence[int]) -> Float[Tensor, "l c"]:
        x = x + self.attn(self.norm1(x), lengths)
        return x + self.mlp(self.norm2(x))
