"""Translation of weights from the names of open_clip to the names of transformers' CLIPModel."""

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

WHOLE = {
    "logit_scale": "logit_scale",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
TURNED = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}
"""Matrices that open_clip multiplies from the other side."""
PARTS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+?)(?:\.|_)(weight|bias)")
BESIDE = ("attn_mask",)
"""Names of entries that are not weights."""


def translated(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor by its name in CLIPModel; a joint tensor of queries, keys and values becomes three."""
    for name, tensor in tensors.items():
        block = _BLOCK.fullmatch(name)
        if name in WHOLE:
            yield WHOLE[name], tensor
        elif name in TURNED:
            yield TURNED[name], tensor.T
        elif block is None:
            if name not in BESIDE:
                yield name, tensor
        else:
            tower = "vision_model" if block[1] else "text_model"
            yield from of_block(f"{tower}.encoder.layers.{block[2]}", block[3], block[4], tensor)


def of_block(layer: str, part: str, sort: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one part of a block."""
    if part == "attn.in_proj":
        for name, third in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{layer}.self_attn.{name}_proj.{sort}", third
    else:
        yield f"{layer}.{PARTS.get(part, part)}.{sort}", tensor
