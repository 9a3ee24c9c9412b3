"""Each reward on small random models, against the library's own path, one pair at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from margrpo_vqa.git_vqa import GitVqa
from margrpo_vqa.vlm_judge import VlmJudge
from PIL import Image
from transformers import (
    Blip2ForConditionalGeneration,
    Blip2Processor,
    GitForCausalLM,
    GitProcessor,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from margrpo.errors import DataError, MargrpoError, PluginError, WeightsError
from margrpo.pictures.grid import picture
from margrpo.records import Prompt, grouped

from . import tiny

IMAGES = torch.randint(256, (4, 3, 40, 40), generator=torch.Generator().manual_seed(0)) / 255
QUESTIONS = ["is there a dog on the cat", {"question": "is the sky blue", "answer": "no"}]
PROMPTS = grouped([Prompt("a cat"), Prompt("two dog", metadata={"questions": QUESTIONS})], 2)
ASK = "does this picture show {text}"
Path_of = Callable[[Path, Image.Image, str], torch.Tensor]


def git_path(folder: Path, picture: Image.Image, words: str) -> torch.Tensor:
    """As the model's page has it: [CLS] and the question, and what is generated after them."""
    model, processor = GitForCausalLM.from_pretrained(folder), GitProcessor.from_pretrained(folder)
    tokens = processor.tokenizer(words, add_special_tokens=False)["input_ids"]
    said = model.generate(
        pixel_values=processor.image_processor(picture, return_tensors="pt")["pixel_values"],
        input_ids=torch.tensor([[processor.tokenizer.cls_token_id, *tokens]]),
        max_new_tokens=1,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return share(said.logits[0][0], processor.tokenizer, ["yes"], ["no"])


def llava_path(folder: Path, picture: Image.Image, words: str) -> torch.Tensor:
    """The chat template, tokenized by the processor, and the logits behind it."""
    model, processor = LlavaForConditionalGeneration.from_pretrained(folder), LlavaProcessor.from_pretrained(folder)
    content = [{"type": "image", "image": picture}, {"type": "text", "text": words}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        logits = model(**inputs).logits
    return share(logits[0, -1], processor.tokenizer, ["yes", "Yes"], ["no", "No"])


def blip2_path(folder: Path, picture: Image.Image, words: str) -> torch.Tensor:
    """The decoder's first logits, where it is given its first token."""
    model, processor = Blip2ForConditionalGeneration.from_pretrained(folder), Blip2Processor.from_pretrained(folder)
    inputs = processor(images=picture, text=words, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs, decoder_input_ids=torch.tensor([[0]])).logits
    return share(logits[0, -1], processor.tokenizer, ["yes", "Yes"], ["no", "No"])


def share(logits: torch.Tensor, tokenizer: Any, yes: list[str], no: list[str]) -> torch.Tensor:
    p = logits.softmax(-1)
    of_yes, of_no = (p[tokenizer.convert_tokens_to_ids(words)].sum() for words in (yes, no))
    return of_yes / (of_yes + of_no)


MODELS: dict[str, tuple[Callable[..., Path], Path_of, Callable[..., Any]]] = {
    "git": (tiny.git, git_path, GitVqa),
    "llava": (tiny.llava, llava_path, VlmJudge),
    "blip2": (tiny.blip2, blip2_path, lambda **more: VlmJudge(template="{question}", **more)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_score_is_the_librarys_own_probability(name: str, tmp_path: Path) -> None:
    make, own_path, component = MODELS[name]
    place = make(tmp_path)
    scores = component(checkpoint=str(place), question=ASK).build("cpu").score(IMAGES, PROMPTS)
    expected = []
    for image, text in zip(IMAGES, PROMPTS.text, strict=True):
        if text == "a cat":
            expected.append(own_path(place, picture(image, 1), "does this picture show a cat"))
        else:
            dog, sky = (own_path(place, picture(image, 1), words) for words in (QUESTIONS[0], "is the sky blue"))
            expected.append((dog + 1 - sky) / 2)
    assert torch.allclose(scores, torch.stack(expected), atol=1e-5)
    assert float(scores.std()) > 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_a_score_does_not_depend_on_what_else_is_asked(name: str, tmp_path: Path) -> None:
    make, _, component = MODELS[name]
    place = str(make(tmp_path))
    whole = component(checkpoint=place, question=ASK).build("cpu").score(IMAGES, PROMPTS)
    apart = component(checkpoint=place, question=ASK, batch=1).build("cpu").score(IMAGES, PROMPTS)
    assert torch.allclose(whole, apart, atol=1e-6)


def test_pairs_go_to_the_model_a_few_at_a_time_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = GitVqa(checkpoint=str(tiny.git(tmp_path)), batch=2).build("cpu")
    seen: list[int] = []
    right = scorer.model.model.forward
    monkeypatch.setattr(
        scorer.model.model, "forward", lambda **given: seen.append(len(given["input_ids"])) or right(**given)
    )
    scorer.score(IMAGES, PROMPTS)
    assert sum(seen) == 6
    assert max(seen) == 2


def test_weights_are_loaded_in_the_format_that_is_asked_for(tmp_path: Path) -> None:
    scorer = VlmJudge(checkpoint=str(tiny.llava(tmp_path)), dtype="bfloat16", question=ASK).build("cpu")
    assert scorer.model.model.dtype == torch.bfloat16
    scores = scorer.score(IMAGES, PROMPTS)
    assert scores.dtype == torch.float32
    exact = VlmJudge(checkpoint=str(tmp_path), question=ASK).build("cpu").score(IMAGES, PROMPTS)
    assert torch.allclose(scores, exact, atol=0.1)


def test_a_question_longer_than_git_reads_is_cut(tmp_path: Path) -> None:
    scorer = GitVqa(checkpoint=str(tiny.git(tmp_path, places=8))).build("cpu")
    assert scorer.model.length("is there a cat on the red dog or the blue sky ?") == 7
    assert bool(scorer.score(IMAGES, grouped([Prompt("a cat on the red dog or the blue sky")], 4)).isfinite().all())


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (
            "is it ?",
            r"reward git_vqa: 'questions' in the metadata of prompt 'x' is 'is it \?', and must list",
        ),
        ([], r"'questions' in the metadata of prompt 'x' is \[\], and must list questions"),
        (["is it ?", 3], r"'questions\.1' .* is 3, and must be a question, or an object that has one"),
        ([{"answer": "no"}], r"'questions\.0' .* must be a question"),
        ([{"question": "is it ?", "answer": "maybe"}], r"'questions\.0\.answer' .* is 'maybe', and must be yes or no"),
    ],
)
def test_metadata_that_asks_nothing_is_refused(listed: Any, said: str, tmp_path: Path) -> None:
    scorer = GitVqa(checkpoint=str(tiny.git(tmp_path))).build("cpu")
    with pytest.raises(DataError, match=said):
        scorer.score(IMAGES[:1], grouped([Prompt("x", metadata={"questions": listed})], 1))


def test_a_model_that_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    def built(**more: Any) -> Any:
        return VlmJudge(checkpoint=str(tmp_path), **more).build("cpu")

    tiny.llava(tmp_path)
    with pytest.raises(WeightsError, match="its tokenizer cannot write 'ja'; give another word"):
        built(yes="ja")
    with pytest.raises(WeightsError, match="its tokenizer begins 'cat' and 'Cat' alike; give other words"):
        built(yes="cat", no="Cat")
    tiny.llava(tmp_path / "plain", chat=None)
    with pytest.raises(WeightsError, match=r'has no chat template; give `template`, as "USER: <image>\\n\{question\}'):
        VlmJudge(checkpoint=str(tmp_path / "plain")).build("cpu")
    (tmp_path / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(WeightsError, match="AutoModelForImageTextToText cannot be loaded from it"):
        built()


def test_a_template_is_the_chat_of_a_model_that_has_none(tmp_path: Path) -> None:
    tiny.llava(tmp_path / "chat")
    tiny.llava(tmp_path / "plain", chat=None)
    template = "<s>USER: <image> {question} ASSISTANT:"
    plain = VlmJudge(checkpoint=str(tmp_path / "plain"), template=template, question=ASK)
    chat = VlmJudge(checkpoint=str(tmp_path / "chat"), question=ASK)
    assert torch.equal(plain.build("cpu").score(IMAGES, PROMPTS), chat.build("cpu").score(IMAGES, PROMPTS))


def test_settings_that_ask_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MargrpoError, match=r"question = 'is it\?' must be a question with \{text\} where the prompt's"):
        GitVqa(question="is it?")
    with pytest.raises(MargrpoError, match=r"template = 'x' must be a text with \{question\} in it, or empty"):
        VlmJudge(template="x")
    with pytest.raises(WeightsError, match="reward vlm_judge: nowhere is not a folder"):
        VlmJudge(checkpoint="nowhere").require()
    monkeypatch.setattr("margrpo.weights.pretrained.find_spec", lambda name: None)
    with pytest.raises(PluginError, match="reward git_vqa needs transformers, which is not installed"):
        GitVqa().require()
