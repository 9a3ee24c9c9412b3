"""MAR: masked autoregressive generation with a diffusion head   (mar)."""

from margrpo.contracts import Conditioner, Kernel, Model, Parameterization
from margrpo.declare import at_least, between, component, not_negative, positive, setting
from margrpo.lazy import torch


@component
class Mar:
    """A masked autoencoder over continuous tokens, and an MLP that denoises each of them."""

    weights: str = setting(meaning='a safetensors file, a package:// file, or "random"')
    conditioner: Conditioner = setting(meaning="what the prompt becomes for the backbone")
    parameterization: Parameterization = setting(meaning="what the head's output means")
    tokens: int = setting(256, "tokens per image", check=at_least(1))
    channels: int = setting(16, "channels per token", check=at_least(1))
    width: int = setting(768, "channels of the backbone", check=at_least(1))
    encoder_depth: int = setting(12, "blocks of the encoder", check=at_least(1))
    decoder_depth: int = setting(12, "blocks of the decoder", check=at_least(1))
    heads: int = setting(12, "attention heads; must divide the width", check=at_least(1))
    head_width: int = setting(1024, "channels of the diffusion head", check=at_least(1))
    head_depth: int = setting(6, "blocks of the diffusion head", check=at_least(1))
    dropout: float = setting(0.0, "share of activations dropped in the backbone while training", check=between(0, 1))
    embedding_std: float = setting(0.02, "std of initial position and prompt embeddings", check=positive)
    seed: int = setting(0, "seed of random weights", check=not_negative)

    def problems(self) -> list[str]:
        """What is wrong with the settings taken together."""
        if self.width % self.heads:
            near = [heads for heads in range(1, self.width + 1) if self.width % heads == 0]
            best = min(near, key=lambda heads: abs(heads - self.heads))
            return [f"heads = {self.heads} does not divide width = {self.width}; the nearest that does is {best}"]
        return []

    def geometry(self) -> tuple[int, int]:
        """Tokens per image and channels per token."""
        return self.tokens, self.channels

    def build(self, *, kernel: Kernel) -> Model:
        """The model on the CPU, in evaluation mode, with its weights loaded unless they are "random"."""
        from margrpo.nets import weights

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self.assemble(kernel)
        if self.weights != "random":
            weights.put(model, weights.read(self.weights, "policy"), self.weights)
        return model.eval()

    def assemble(self, kernel: Kernel) -> Model:
        """The model with random weights."""
        from margrpo.nets import mae, mar
        from margrpo.nets.denoiser import Denoiser

        shape = mae.MaeShape(
            tokens=self.tokens,
            channels=self.channels,
            prefix=self.conditioner.prefix,
            width=self.width,
            encoder_depth=self.encoder_depth,
            decoder_depth=self.decoder_depth,
            heads=self.heads,
            dropout=self.dropout,
            embedding_std=self.embedding_std,
        )
        net = Denoiser(channels=self.channels, condition=self.width, width=self.head_width, depth=self.head_depth)
        backbone = mar.Backbone(mae.Mae(shape, kernel.attention), self.conditioner.build(width=self.width))
        model = mar.Mar(backbone, mar.Head(net, self.parameterization.epsilon))
        mar.initialise(model)
        net.start_at_identity()
        return model
