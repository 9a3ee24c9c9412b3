"""The two towers of open_clip in plain words, by its names: what HPS's file was made with."""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, heads: int, inner: int):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, inner), "c_proj": nn.Linear(inner, width)})

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Blocks(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, layers: int):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Visual(nn.Module):
    def __init__(self, width: int, heads: int, inner: int, layers: int, side: int, patch: int, embed: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((side // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Blocks(width, heads, inner, layers)
        self.proj = nn.Parameter(torch.zeros(width, embed))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(images), 1, -1)
        x = self.ln_pre(torch.cat([first, patches], dim=1) + self.positional_embedding)
        return self.ln_post(self.transformer(x)[:, 0]) @ self.proj


class OpenClip(nn.Module):
    def __init__(
        self, *, vocabulary: int, length: int, width: int = 32, heads: int = 2, inner: int = 48, layers: int = 2
    ):
        super().__init__()
        self.visual = Visual(width, heads, inner, layers, 32, 8, 16)
        self.transformer = Blocks(width, heads, inner, layers)
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.zeros(length, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, 16))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        for value in self.parameters():
            if value.ndim:
                value.data.normal_(std=0.3)

    def texts(self, tokens: Tensor, end: int) -> Tensor:
        length = tokens.shape[1]
        mask = torch.full((length, length), -torch.inf).triu(1)
        x = self.transformer(self.token_embedding(tokens) + self.positional_embedding[:length], mask)
        last = (tokens == end).int().argmax(1)
        return self.ln_final(x)[torch.arange(len(x)), last] @ self.text_projection
