"""Names of tensors in MAR's published files and in this library's model   (mar)."""

from collections.abc import Collection, Mapping
from typing import TypeVar

T = TypeVar("T")

NAMES = {
    "head.net.": "diffloss.net.",
    "backbone.embedding.class_emb.": "class_emb.",
    "backbone.fake_latent": "fake_latent",
    "backbone.mae.": "",
}
"""Beginnings of this library's names and of published names; the rest of each name is equal."""


def published_name(ours: str) -> str:
    """The published name of a tensor of this library's model."""
    for our, their in NAMES.items():
        if ours.startswith(our):
            return their + ours.removeprefix(our)
    return ours


def our_name(published: str) -> str:
    """The name of a published tensor in this library's model."""
    for our, their in NAMES.items():
        if published.startswith(their):
            return our + published.removeprefix(their)
    return published


def kind_of_names(names: Collection[str]) -> str | None:
    """The kind of model that has these published `names`: "policy", "codec", or None."""
    if any(name.startswith(("diffloss.", "encoder_blocks.", "decoder_blocks.")) for name in names):
        return "policy"
    if any(name.startswith(("encoder.down.", "decoder.up.", "quant_conv.", "post_quant_conv.")) for name in names):
        return "codec"
    return None


def without_loss(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors without the training loss's networks, which an autoencoder's published file may hold."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("loss.")}
