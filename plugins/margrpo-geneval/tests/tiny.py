"""Networks of a few thousand random weights, written as the published ones are."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertTokenizer,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessorPil,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessorPil,
    Owlv2Processor,
    SwinConfig,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLASSES = ["person", "cat", "dog", "tvmonitor", "keyboard"]
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
SWIN: dict[str, Any] = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
}


def spread(model: torch.nn.Module, std: float = 0.3) -> Any:
    """Weights large enough that pictures and words make a difference."""
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.normal_(std=std)
    return model


def letters(folder: Path) -> CLIPTokenizer:
    """A tokenizer of CLIP's kind that knows single letters."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["!", "<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=40)


def text_tower() -> dict[str, Any]:
    return {**SMALL, "vocab_size": 55, "max_position_embeddings": 40, "bos_token_id": 1, "eos_token_id": 2}


def clip(folder: Path) -> Path:
    letters(folder).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    torch.manual_seed(0)
    vision = {**SMALL, "image_size": 32, "patch_size": 8}
    config = CLIPConfig(text_config={**text_tower(), "pad_token_id": 2}, vision_config=vision, projection_dim=16)
    spread(CLIPModel(config)).save_pretrained(folder)
    return folder


def owlv2(folder: Path) -> Path:
    images = Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    Owlv2Processor(images, letters(folder)).save_pretrained(folder)
    torch.manual_seed(0)
    vision = {**SMALL, "image_size": 64, "patch_size": 16}
    config = Owlv2Config(text_config={**text_tower(), "pad_token_id": 0}, vision_config=vision, projection_dim=32)
    spread(Owlv2ForObjectDetection(config)).save_pretrained(folder)
    return folder


def grounding_dino(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ".",
        "?",
        "cat",
        "dog",
        "fire",
        "hydrant",
        "traffic",
        "light",
    ]
    (folder / "vocab.txt").write_text("\n".join(words))
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(images, BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    torch.manual_seed(6)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(**SWIN, out_features=["stage2", "stage3", "stage4"]),
        text_config={**SMALL, "model_type": "bert", "vocab_size": len(words), "max_position_embeddings": 40},
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=32,
        decoder_attention_heads=2,
        num_queries=12,
        num_feature_levels=4,
        max_text_len=24,
    )
    spread(GroundingDinoForObjectDetection(config)).save_pretrained(folder)
    return folder


def mask2former(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Mask2FormerImageProcessorPil(size={"height": 384, "width": 384}, num_labels=len(CLASSES)).save_pretrained(folder)
    torch.manual_seed(0)
    config = Mask2FormerConfig(
        backbone_config=SwinConfig(**SWIN, out_features=["stage1", "stage2", "stage3", "stage4"]),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=8,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: label for label, name in enumerate(CLASSES)},
    )
    spread(Mask2FormerForUniversalSegmentation(config)).save_pretrained(folder)
    return folder
