"""ImageReward's network: a BERT with cross-attention to BLIP's picture, and five layers on its [CLS]."""

import re
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

from margrpo_preference.five_layers import five_layers, renumbered

HEAD = 64
"""Channels of an attention head, in both towers."""
RENAMED = {
    r"blip\.visual_encoder\.cls_token": "vision.embeddings.class_embedding",
    r"blip\.visual_encoder\.pos_embed": "vision.embeddings.position_embedding",
    r"blip\.visual_encoder\.patch_embed\.proj": "vision.embeddings.patch_embedding",
    r"blip\.visual_encoder\.blocks\.(\d+)\.norm(\d)": r"vision.encoder.layers.\1.layer_norm\2",
    r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.qkv": r"vision.encoder.layers.\1.self_attn.qkv",
    r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.proj": r"vision.encoder.layers.\1.self_attn.projection",
    r"blip\.visual_encoder\.blocks\.(\d+)\.mlp": r"vision.encoder.layers.\1.mlp",
    r"blip\.visual_encoder\.norm": "vision.post_layernorm",
    r"blip\.text_encoder": "text",
}


class Blip(nn.Module):
    """Towers of picture and text and the five layers, with the sizes of a file's tensors; `KeyError` if one lacks."""

    def __init__(self, tensors: Mapping[str, Tensor]):
        super().__init__()
        self.vision = BlipVisionModel(vision_config(tensors))
        self.text = BlipTextModel(text_config(tensors), add_pooling_layer=False)
        self.marks = five_layers(self.text.config.hidden_size)

    @property
    def side(self) -> int:
        """The number of pixels of a picture's side."""
        side: int = self.vision.config.image_size
        return side

    def forward(
        self, pixels: Float[Tensor, "m 3 h w"], tokens: Int[Tensor, "m n"], mask: Int[Tensor, "m n"]
    ) -> Float[Tensor, "m"]:
        """The mark of each picture for its text."""
        seen = self.vision(pixel_values=pixels).last_hidden_state
        read = self.text(input_ids=tokens, attention_mask=mask, encoder_hidden_states=seen).last_hidden_state
        return self.marks(read[:, 0]).squeeze(-1)


def translated(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published tensors by their names in `Blip`."""
    found = renumbered(tensors, "mlp.layers.", "marks.")
    for published, here in RENAMED.items():
        found = {re.sub(f"^{published}(?=\\.|$)", here, name): tensor for name, tensor in found.items()}
    return found


def vision_config(tensors: Mapping[str, Tensor]) -> BlipVisionConfig:
    """The configuration of the picture's tower, from the shapes of its tensors."""
    kernel, places = (tensors[f"vision.embeddings.{name}"] for name in ("patch_embedding.weight", "position_embedding"))
    width, patch = kernel.shape[0], kernel.shape[-1]
    return BlipVisionConfig(
        hidden_size=width,
        intermediate_size=tensors["vision.encoder.layers.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=layers(tensors, "vision.encoder.layers."),
        num_attention_heads=width // HEAD,
        image_size=round((places.shape[1] - 1) ** 0.5) * patch,
        patch_size=patch,
        layer_norm_eps=1e-6,  # BLIP's own, where transformers has 1e-5
    )


def text_config(tensors: Mapping[str, Tensor]) -> BlipTextConfig:
    """The configuration of the text's tower, from the shapes of its tensors."""
    vocabulary, width = tensors["text.embeddings.word_embeddings.weight"].shape
    return BlipTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        encoder_hidden_size=tensors["text.encoder.layer.0.crossattention.self.key.weight"].shape[1],
        intermediate_size=tensors["text.encoder.layer.0.intermediate.dense.weight"].shape[0],
        num_hidden_layers=layers(tensors, "text.encoder.layer."),
        num_attention_heads=width // HEAD,
        max_position_embeddings=tensors["text.embeddings.position_embeddings.weight"].shape[0],
    )


def layers(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """The number of layers that have tensors."""
    return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def empty(tensors: Mapping[str, Tensor]) -> Blip:
    """A network for `tensors`, whose weights are still to be loaded."""
    with torch.random.fork_rng(devices=[]):
        return Blip(tensors)
