"""The modules of the policy `bag`."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from margrpo.contracts import Parameterization, PromptEmbedder
from margrpo.nets.denoiser import Denoiser
from margrpo.nets.mar import Head, initialise
from margrpo.records import Prompts


class Front(nn.Module):
    """The part before the head, which mixes place, known tokens and prompt."""

    def __init__(self, prompt: PromptEmbedder, tokens: int, channels: int, width: int):
        super().__init__()
        self.prompt = prompt
        self.nothing = nn.Parameter(0.02 * torch.randn(width))
        self.places = nn.Parameter(0.02 * torch.randn(tokens, width))
        self.known = nn.Linear(channels, width)
        self.mixed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        count = (~unknown).sum(1, keepdim=True).clamp(min=1)
        mean = tokens.masked_fill(unknown[..., None], 0).sum(1) / count
        common = self.known(mean) + prefix.mean(1)
        return self.mixed(self.places + common[:, None])


class BagModel(nn.Module):
    """Front and head, under the names of the contract `Model`."""

    def __init__(self, prompt: PromptEmbedder, parameterization: Parameterization, shape: tuple[int, int, int]):
        super().__init__()
        self.tokens, self.channels, width = shape
        self.backbone = Front(prompt, *shape)
        net = Denoiser(channels=self.channels, condition=width, width=width, depth=1)
        self.head = Head(net, parameterization)
        initialise(self)

    def prefix(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """The prefix of `prompts`."""
        return self.backbone.prompt(prompts)

    def null_prefix(self, images: int) -> Float[Tensor, "b p c"]:
        """The prefix of `images` without a prompt."""
        return self.backbone.nothing.expand(images, 1, -1)

    def condition(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        """The condition of each token."""
        return self.backbone(tokens, unknown, prefix)
