"""The names of MAR's published files, in our model and back   (mar)."""

from collections.abc import Collection, Mapping
from typing import TypeVar

T = TypeVar("T")

NAMES = {
    "head.net.": "diffloss.net.",
    "backbone.embedding.class_emb.": "class_emb.",
    "backbone.fake_latent": "fake_latent",
    "backbone.mae.": "",
}
"""How our names begin, and how the published ones do; all else is the same."""


def published_name(ours: str) -> str:
    """The published name of a tensor of our model."""
    for our, their in NAMES.items():
        if ours.startswith(our):
            return their + ours.removeprefix(our)
    return ours


def our_name(published: str) -> str:
    """The name in our model of a published tensor."""
    for our, their in NAMES.items():
        if published.startswith(their):
            return our + published.removeprefix(their)
    return published


def kind_of_names(names: Collection[str]) -> str | None:
    """Whether published names are those of a MAR, "policy", or of an autoencoder, "codec"."""
    if any(name.startswith(("diffloss.", "encoder_blocks.", "decoder_blocks.")) for name in names):
        return "policy"
    if any(name.startswith(("encoder.down.", "decoder.up.", "quant_conv.", "post_quant_conv.")) for name in names):
        return "codec"
    return None


def without_loss(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors less those of the loss that an autoencoder was trained with, which its published file may hold."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("loss.")}
