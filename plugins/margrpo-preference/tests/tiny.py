"""A CLIP of a few thousand weights, written as the published ones are."""

import json
from pathlib import Path

import torch
from margrpo_preference.image_reward import ImageReward
from transformers import BertTokenizer, CLIPConfig, CLIPModel, CLIPTokenizer

from .image_reward_plain import Plain

LETTERS = "abcdefghijklmnopqrstuvwxyz"
END = 0


def save(folder: Path, *, seed: int = 0, layers: int = 2, act: str = "gelu") -> Path:
    """The folder, with a model and a tokenizer that knows single letters."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["<|startoftext|>", "<|endoftext|>", *LETTERS, *(f"{letter}</w>" for letter in LETTERS)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_hidden_layers": layers}
    text = {**sizes, "vocab_size": len(vocabulary), "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**sizes, "image_size": 32, "patch_size": 8}
    towers = {
        "text_config": {**text, "hidden_act": act, "pad_token_id": 1},
        "vision_config": {**vision, "hidden_act": act},
    }
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(**towers, projection_dim=16))
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.normal_(std=0.3)
    model.save_pretrained(folder)
    return folder


def image_reward(folder: Path) -> tuple[ImageReward, Plain]:
    """The reward with its file and its tokenizer, and the network that was saved."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "two", "dogs", "on", "mat", "in", "the", "sea"]
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "bert" / "vocab.txt")).save_pretrained(folder / "bert")
    torch.manual_seed(7)
    plain = Plain(len(words))
    torch.save(plain.state_dict(), folder / "ImageReward.pt")
    return ImageReward(checkpoint=str(folder / "ImageReward.pt"), tokenizer=str(folder / "bert")), plain
