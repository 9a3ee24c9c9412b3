"""Models of a few thousand random weights, written as the published ones are."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import (
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

WORDS = ["yes", "no", "is", "a", "the", "there", "cat", "dog", "red", "blue", "sky", "this", "does", "picture", "show"]
WORDS += ["or", "on", "two"]
SIDE = 24
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
VISION: dict[str, Any] = {**SMALL, "image_size": SIDE, "patch_size": 8}
CHAT = (
    "{% for m in messages %}<s>USER: {% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)


def images() -> CLIPImageProcessorPil:
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def spread(model: torch.nn.Module) -> Any:
    """Weights large enough that pictures and questions make a difference."""
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.normal_(std=0.3)
    return model


def git(folder: Path, *, seed: int = 0, places: int = 40) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "?", "'"]
    (folder / "vocab.txt").write_text("\n".join(words))
    GitProcessor(images(), BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    torch.manual_seed(seed)
    text = {**SMALL, "vocab_size": len(words), "max_position_embeddings": places}
    config = GitConfig(vision_config=VISION, **text, bos_token_id=2, eos_token_id=3)
    spread(GitForCausalLM(config)).save_pretrained(folder)
    return folder


def tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    """One that knows whole words and, of others, nothing."""
    special = ["<unk>", "<s>", "</s>", "<image>"]
    known = [*special, *words, *(word.capitalize() for word in words), "USER:", "ASSISTANT:", "?", " ", '"', "."]
    inner = Tokenizer(WordLevel({word: number for number, word in enumerate(dict.fromkeys(known))}, unk_token="<unk>"))
    inner.pre_tokenizer = Split(" ", behavior="removed")
    inner.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>", extra_special_tokens=["<image>"]
    )


def llava(folder: Path, *, seed: int = 0, words: list[str] = WORDS, chat: str | None = CHAT) -> Path:
    made = tokenizer(words)
    processor = LlavaProcessor(
        images(),
        made,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=chat,
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    torch.manual_seed(seed)
    text = {**SMALL, "model_type": "llama", "vocab_size": len(made), "num_key_value_heads": 2, "pad_token_id": 2}
    config = LlavaConfig(
        vision_config={**VISION, "model_type": "clip_vision_model"},
        text_config={**text, "bos_token_id": 1, "eos_token_id": 2},
        image_token_index=made.convert_tokens_to_ids("<image>"),
        image_seq_length=9,
        vision_feature_layer=-1,
    )
    spread(LlavaForConditionalGeneration(config)).save_pretrained(folder)
    return folder


def blip2(folder: Path, *, seed: int = 0) -> Path:
    """One with an encoder and a decoder, whose text is T5's."""
    made = tokenizer(WORDS)
    images = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    Blip2Processor(images, made, num_query_tokens=4).save_pretrained(folder)
    torch.manual_seed(seed)
    text = {"model_type": "t5", "vocab_size": len(made), "d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2}
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**SMALL, "encoder_hidden_size": 32, "vocab_size": 40},
        text_config={**text, "num_heads": 2, "decoder_start_token_id": 0, "pad_token_id": 2, "eos_token_id": 2},
        num_query_tokens=4,
        image_token_index=made.convert_tokens_to_ids("<image>"),
    )
    spread(Blip2ForConditionalGeneration(config)).save_pretrained(folder)
    return folder
