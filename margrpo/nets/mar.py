"""A masked autoregressive generator: prefix, backbone, head."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from margrpo.contracts import Parameterization, PromptEmbedder
from margrpo.nets.denoiser import Denoiser, Modulation
from margrpo.nets.mae import Mae
from margrpo.records import Prediction, Prompts


class Head(nn.Module):
    """The denoiser with the meaning of its output."""

    def __init__(self, net: Denoiser, parameterization: Parameterization):
        super().__init__()
        self.net, self.parameterization = net, parameterization

    def embed_times(self, times: Sequence[float]) -> Float[Tensor, "t w"]:
        """The embeddings of model times."""
        return self.net.time_embed(torch.tensor(times, device=self.net.input_proj.weight.device))

    def prepare(self, z: Float[Tensor, "m c"], times: Float[Tensor, "*t w"]) -> Modulation:
        """The modulation of every block for conditions `z` at one embedded time, or at each of t."""
        return self.net.prepare(z, times.unsqueeze(-2))

    def raw(
        self, x: Float[Tensor, "m d"], z: Float[Tensor, "m c"], time: Int[Tensor, "m"]
    ) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m d"]]:
        """The raw output and the variance, with each token at a `time` of its own, for pre-training."""
        output, variance = self.net(x, self.net.prepare(z, self.net.time_embed(time))).chunk(2, dim=-1)
        return output, variance

    def forward(
        self, x: Float[Tensor, "*k m d"], modulation: Modulation
    ) -> tuple[Float[Tensor, "*k m d"], Float[Tensor, "*k m d"]]:
        output, variance = self.net(x, modulation).chunk(2, dim=-1)
        return output, variance

    def meaning(self, raw: tuple[Tensor, Tensor], x: Float[Tensor, "*k m d"], alpha_bar: float) -> Prediction:
        """The prediction that the parameterization reads from the raw output."""
        output, variance = raw
        means = self.parameterization
        return Prediction(means.epsilon(output, x, alpha_bar), variance, means.x0(output, x, alpha_bar))


class Backbone(nn.Module):
    """The part in front of the head: the prompt's prefix and the masked autoencoder."""

    def __init__(self, mae: Mae, embedding: PromptEmbedder):
        super().__init__()
        self.mae, self.embedding = mae, embedding
        self.fake_latent = nn.Parameter(torch.zeros(1, mae.shape.width))
        for parameter in (self.fake_latent, *embedding.parameters()):
            nn.init.normal_(parameter, std=mae.shape.embedding_std)


class Mar(nn.Module):
    """MAR of arXiv 2406.11838: backbone and head, under the names of the contract."""

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone, self.head = backbone, head
        self.tokens, self.channels = backbone.mae.shape.tokens, backbone.mae.shape.channels

    def prefix(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """The prefix that the backbone reads for `prompts`."""
        return self.backbone.embedding(prompts)

    def null_prefix(self, images: int) -> Float[Tensor, "b p c"]:
        """The learned prefix that stands for the absence of a prompt."""
        return self.backbone.fake_latent[:, None].expand(images, self.backbone.mae.shape.prefix, -1)

    def condition(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        """The condition of each token."""
        return self.backbone.mae(tokens, unknown, prefix)


def initialise(module: nn.Module) -> None:
    """Xavier-uniform linear layers with zero bias   (mar, as in mae); call before the head sets its zeros."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
