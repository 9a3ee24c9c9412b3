"""ImageReward in plain words, by the names of its file: BLIP's two towers and five layers."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD = 64


class Attention(nn.Module):
    """Of a BERT: queries from the text, keys and values from wherever."""

    def __init__(self, width: int, other: int):
        super().__init__()
        self.self = nn.ModuleDict(
            {"query": nn.Linear(width, width), "key": nn.Linear(other, width), "value": nn.Linear(other, width)}
        )
        self.output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)})

    def forward(self, x: Tensor, y: Tensor, seen: Tensor | None = None) -> Tensor:
        q, k, v = (
            self.self[name](z).unflatten(-1, (-1, HEAD)).transpose(1, 2)
            for name, z in (("query", x), ("key", y), ("value", y))
        )
        scores = q @ k.transpose(-1, -2) / HEAD**0.5
        if seen is not None:
            scores = scores.masked_fill(~seen[:, None, None, :], -torch.inf)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.output["LayerNorm"](self.output["dense"](mixed) + x)


class Layer(nn.Module):
    def __init__(self, width: int, inner: int, other: int):
        super().__init__()
        self.attention, self.crossattention = Attention(width, width), Attention(width, other)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, width), "LayerNorm": nn.LayerNorm(width, eps=1e-12)})

    def forward(self, x: Tensor, seen: Tensor, picture: Tensor) -> Tensor:
        x = self.attention(x, x, seen)
        x = self.crossattention(x, picture)
        inner = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](self.output["dense"](inner) + x)


class Bert(nn.Module):
    def __init__(self, words: int, places: int, width: int, inner: int, other: int):
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(words, width),
                "position_embeddings": nn.Embedding(places, width),
                "LayerNorm": nn.LayerNorm(width, eps=1e-12),
            }
        )
        self.embeddings.register_buffer("position_ids", torch.arange(places)[None])
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(width, inner, other) for _ in range(2))})

    def forward(self, tokens: Tensor, seen: Tensor, picture: Tensor) -> Tensor:
        places = self.embeddings["position_embeddings"].weight[: tokens.shape[1]]
        x = self.embeddings["LayerNorm"](self.embeddings["word_embeddings"](tokens) + places)
        for layer in self.encoder["layer"]:
            x = layer(x, seen.bool(), picture)
        return x


class Block(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (-1, HEAD)).transpose(1, 2) for part in self.attn["qkv"](self.norm1(x)).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.attn["proj"](mixed)
        return x + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(x))))


class Visual(nn.Module):
    def __init__(self, side: int, patch: int, width: int, inner: int):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (side // patch) ** 2 + 1, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.blocks = nn.ModuleList(Block(width, inner) for _ in range(2))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(images), 1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Plain(nn.Module):
    def __init__(self, words: int, *, places: int = 40, side: int = 32, patch: int = 8):
        super().__init__()
        self.blip = nn.ModuleDict(
            {"visual_encoder": Visual(side, patch, 192, 96), "text_encoder": Bert(words, places, 128, 64, 192)}
        )
        sizes = (128, 1024, 128, 64, 16, 1)
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for place in (1, 3, 5):
            layers.insert(place, nn.Dropout(0.2))
        self.mlp = nn.ModuleDict({"layers": nn.Sequential(*layers)})
        for name, value in self.named_parameters():
            value.data.normal_(std=0.1) if value.ndim > 1 else None
            if name.endswith("bias"):
                value.data.normal_(std=0.1)

    def forward(self, images: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
        picture = self.blip["visual_encoder"](images)
        read = self.blip["text_encoder"](tokens, seen, picture)
        return (self.mlp["layers"](read[:, 0]).squeeze(-1) - 0.16717) / 1.03334
