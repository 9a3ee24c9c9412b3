"""MAR: masked autoregressive generation with a diffusion head   (mar)."""

from contextlib import nullcontext
from typing import Any, Literal

from margrpo.contracts import Attention, Conditioner, Model, Parameterization
from margrpo.declare import at_least, between, component, not_negative, positive, setting
from margrpo.lazy import torch
from margrpo.nets import mar_size
from margrpo.nets.mar_footprint import MaeSizes, denoiser_footprint
from margrpo.nets.mar_size import SIZES
from margrpo.records import PolicyFootprint
from margrpo.weights.source import SOURCES, digest, known_form, unnamed

_ONE = at_least(1)


@component
class Mar:
    """A masked autoencoder over continuous tokens, and an MLP that denoises each token.

    A published `checkpoint-last.pth` loads without conversion, and so do the files that a run writes.
    """

    checkpoint: str = setting("", f"the file of weights: {SOURCES}", check=known_form)
    weights: Literal["ema", "model", "random"] = setting(
        "ema", '"ema" for the moving average in the file if it has one, "model" for its model, or "random" weights'
    )
    sha256: str = setting("", "SHA-256 of the file, checked before it is read; empty: not checked", check=digest)
    size: Literal["base", "large", "huge"] = setting("base", "the published size that gives widths, depths and heads")
    conditioner: Conditioner = setting(meaning="conditioner that turns prompts into the prefix")
    parameterization: Parameterization = setting(meaning="meaning of the head's output")
    tokens: int = setting(256, "tokens per image", check=_ONE)
    channels: int = setting(16, "channels per token", check=_ONE)
    width: int = setting(lambda size: SIZES[size].width, "channels of the backbone", check=_ONE, by="size")
    encoder_depth: int = setting(lambda size: SIZES[size].encoder_depth, "blocks of the encoder", check=_ONE, by="size")
    decoder_depth: int = setting(lambda size: SIZES[size].decoder_depth, "blocks of the decoder", check=_ONE, by="size")
    heads: int = setting(
        lambda size: SIZES[size].heads, "attention heads; must divide the width", check=_ONE, by="size"
    )
    head_width: int = setting(
        lambda size: SIZES[size].head_width, "channels of the diffusion head", check=_ONE, by="size"
    )
    head_depth: int = setting(
        lambda size: SIZES[size].head_depth, "blocks of the diffusion head", check=_ONE, by="size"
    )
    dropout: float = setting(0.0, "share of activations dropped in the backbone while training", check=between(0, 1))
    embedding_std: float = setting(0.02, "std of initial position and prompt embeddings", check=positive)
    seed: int = setting(0, "seed of random weights", check=not_negative)
    zero_init: bool = setting(
        False, "whether a random head starts with zero gates and output, which is best for pre-training"
    )

    def problems(self) -> list[str]:
        """Sentences about settings that do not fit together."""
        found = unnamed(self.checkpoint, self.weights)
        if self.width % self.heads:
            near = [heads for heads in range(1, self.width + 1) if self.width % heads == 0]
            best = min(near, key=lambda heads: abs(heads - self.heads))
            found.append(f"heads = {self.heads} does not divide width = {self.width}; the nearest that does is {best}")
        return found

    def published(self) -> str:
        """A sentence that says where weights of these sizes are published, or ""."""
        size = mar_size.published_size(self.sizes())
        if size is None:
            return ""
        return (
            f"MAR's {size} model is published at https://github.com/LTH14/mar, whose util/download.py puts it at "
            f"pretrained_models/mar/mar_{size}/checkpoint-last.pth; a copy by others, not checked here, is "
            f"hf://jadechoghari/mar/mar-{size}.safetensors"
        )

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        return self.tokens, self.channels

    def classes(self) -> int | None:
        """The number of classes of the conditioner, or None."""
        return self.conditioner.classes

    def footprint(self) -> PolicyFootprint:
        """Parameters, FLOPs and memory by formula."""
        sizes = MaeSizes(
            tokens=self.tokens,
            channels=self.channels,
            prefix=self.conditioner.prefix,
            width=self.width,
            encoder_depth=self.encoder_depth,
            decoder_depth=self.decoder_depth,
        )
        head = denoiser_footprint(
            channels=self.channels, condition=self.width, width=self.head_width, depth=self.head_depth
        )
        return PolicyFootprint(sizes.footprint(self.conditioner.parameters(width=self.width)), head)

    def sizes(self) -> dict[str, int]:
        """The settings that show in the shapes of the weights, by their keys below the policy."""
        keys = ("tokens", "channels", "width", "encoder_depth", "decoder_depth", "head_width", "head_depth")
        found = {**{key: getattr(self, key) for key in keys}, "conditioner.prefix": self.conditioner.prefix}
        classes = self.classes()
        return found if classes is None else {**found, "conditioner.classes": classes}

    def build(self, *, attention: Attention) -> Model:
        """Make the model on the CPU, in evaluation mode, with the weights of the file or random ones."""
        from margrpo.weights import modules
        from margrpo.weights.published_names import published_name

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            model = self.assemble(attention, drawn=self.weights == "random")
        if self.weights != "random":
            modules.load(model, "policy", self, published=published_name, cure=self.cure)
        return model.eval()

    def cure(self, tensors: Any) -> str:
        """The end of a sentence that names the settings to change for `tensors` that do not fit."""
        return mar_size.cure({name: tensor.shape for name, tensor in tensors.items()}, self.sizes(), self.size)

    def assemble(self, attention: Attention, *, drawn: bool = True) -> Model:
        """Make the model with random weights; without `drawn`, its large parts are uninitialised memory."""
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
        with nullcontext() if drawn else torch.device("meta"):
            net = Denoiser(channels=self.channels, condition=self.width, width=self.head_width, depth=self.head_depth)
            trunk = mae.Mae(shape, attention.attention)
        if not drawn:
            net, trunk = net.to_empty(device="cpu"), trunk.to_empty(device="cpu")
        backbone = mar.Backbone(trunk, self.conditioner.build(width=self.width))
        model = mar.Mar(backbone, mar.Head(net, self.parameterization))
        if drawn:
            mar.initialise(model)
            if self.zero_init:
                net.start_at_identity()
        return model
