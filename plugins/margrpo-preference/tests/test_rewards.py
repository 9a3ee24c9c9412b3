"""Each reward on a small random CLIP, against the library's own path or a plain one."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from margrpo_preference.aesthetic import Aesthetic
from margrpo_preference.clip_score import ClipScore
from margrpo_preference.hps import Hps
from margrpo_preference.image_reward import ImageReward
from margrpo_preference.pickscore import Pickscore
from margrpo_preference.pixels import cropped, normalised, padded
from PIL import Image
from safetensors.torch import save_file
from transformers import BertTokenizer, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from margrpo.errors import MargrpoError, PluginError, WeightsError
from margrpo.records import Prompt, grouped

from . import tiny
from .image_reward_plain import Plain
from .open_clip_plain import OpenClip

IMAGES = torch.randint(256, (4, 3, 40, 40), generator=torch.Generator().manual_seed(0)) / 255
PROMPTS = grouped([Prompt("a cat"), Prompt("two dogs on a mat in the sea far out")], 2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("clip"))


def own_path(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The cosines and the logits that transformers itself gives, from PIL pictures, one pair at a time."""
    model, tokenizer = CLIPModel.from_pretrained(folder), CLIPTokenizer.from_pretrained(folder)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    cosines, logits = [], []
    for image, text in zip(IMAGES, PROMPTS.text, strict=True):
        pil = Image.fromarray((image.permute(1, 2, 0) * 255).round().byte().numpy())
        pixels = processor(pil, return_tensors="pt")["pixel_values"]
        tokens = tokenizer(text, truncation=True, max_length=12, return_tensors="pt")
        with torch.no_grad():
            out = model(pixel_values=pixels, **tokens)
        cosines.append((out.image_embeds * out.text_embeds).sum())
        logits.append(out.logits_per_image[0, 0])
    return torch.stack(cosines), torch.stack(logits)


def test_clip_score_is_the_librarys_cosine(clip: Path) -> None:
    cosines, _ = own_path(clip)
    scores = ClipScore(checkpoint=str(clip)).build("cpu").score(IMAGES, PROMPTS)
    assert torch.allclose(scores, 2.5 * cosines.clamp(min=0), atol=1e-4)
    assert bool((cosines.abs() > 1e-3).all())


def test_pickscore_is_the_librarys_logit(clip: Path) -> None:
    _, logits = own_path(clip)
    scale = float(CLIPModel.from_pretrained(clip).logit_scale.detach().exp())
    scores = Pickscore(checkpoint=str(clip)).build("cpu").score(IMAGES, PROMPTS)
    assert torch.allclose(scores / scale, logits / scale, atol=1e-4)


@pytest.fixture(scope="module")
def hps_file(clip: Path) -> tuple[Path, OpenClip]:
    torch.manual_seed(3)
    model = OpenClip(vocabulary=54, length=12)
    torch.save({"state_dict": {**model.state_dict(), "attn_mask": torch.zeros(12, 12)}}, clip / "hps.pt")
    return clip / "hps.pt", model


def test_hps_reads_open_clips_names_and_scores_as_its_towers_do(clip: Path, hps_file: tuple[Path, OpenClip]) -> None:
    file, plain = hps_file
    scores = Hps(checkpoint=str(file), base=str(clip)).build("cpu").score(IMAGES, PROMPTS)
    tokens = CLIPTokenizer.from_pretrained(clip)(
        list(PROMPTS.text), padding="max_length", truncation=True, max_length=12, return_tensors="pt"
    )["input_ids"]
    with torch.no_grad():
        seen = plain.visual(normalised(padded(IMAGES, 32)))
        read = plain.texts(tokens, end=1)
    expected = torch.nn.functional.cosine_similarity(seen, read)
    assert torch.allclose(scores, expected, atol=1e-5)
    assert float(scores.std()) > 1e-3


def marks_file(folder: Path, width: int = 16) -> Path:
    torch.manual_seed(5)
    sizes, tensors = (width, 1024, 128, 64, 16, 1), {}
    for place, (a, b) in zip((0, 2, 4, 6, 7), pairwise(sizes), strict=True):
        tensors |= {f"layers.{place}.weight": torch.randn(b, a) / a**0.5, f"layers.{place}.bias": torch.randn(b)}
    torch.save(tensors, folder / f"marks-{width}.pth")
    return folder / f"marks-{width}.pth"


def test_aesthetic_is_five_layers_on_the_direction_of_the_picture(clip: Path) -> None:
    file = marks_file(clip)
    scorer = Aesthetic(checkpoint=str(file), base=str(clip)).build("cpu")
    x = scorer.pair.pictures(IMAGES)
    assert torch.allclose(x.norm(dim=1), torch.ones(4))
    tensors = torch.load(file, weights_only=True)
    for place in (0, 2, 4, 6, 7):
        x = x @ tensors[f"layers.{place}.weight"].T + tensors[f"layers.{place}.bias"]
    assert torch.allclose(scorer.score(IMAGES, PROMPTS), x[:, 0], atol=1e-4)


@pytest.fixture(scope="module")
def image_reward(tmp_path_factory: pytest.TempPathFactory) -> tuple[ImageReward, Plain]:
    folder = tmp_path_factory.mktemp("image_reward")
    return tiny.image_reward(folder)


def test_image_reward_reads_its_published_names_and_scores_as_its_towers_do(
    image_reward: tuple[ImageReward, Plain],
) -> None:
    reward, plain = image_reward
    tokens = BertTokenizer.from_pretrained(reward.tokenizer)(
        list(PROMPTS.text), padding="max_length", truncation=True, max_length=35, return_tensors="pt"
    )
    with torch.no_grad():
        expected = plain.eval()(normalised(cropped(IMAGES, 32)), tokens["input_ids"], tokens["attention_mask"])
    scores = reward.build("cpu").score(IMAGES, PROMPTS)
    assert torch.allclose(scores, expected, atol=1e-5)
    assert float(scores.std()) > 1e-3


def test_a_long_text_is_cut_for_image_reward(image_reward: tuple[ImageReward, Plain]) -> None:
    scorer = image_reward[0].build("cpu")
    long, longer = ("a cat " * 20, "a cat " * 30)
    assert torch.equal(
        scorer.score(IMAGES[:1], grouped([Prompt(long)], 1)), scorer.score(IMAGES[:1], grouped([Prompt(longer)], 1))
    )


def test_a_file_that_is_not_image_rewards_is_refused(image_reward: tuple[ImageReward, Plain], tmp_path: Path) -> None:
    reward, plain = image_reward
    whole = plain.state_dict()
    for name, tensors, said in (
        ("none.pt", {"a": torch.zeros(1)}, r"lacks vision\.embeddings\..*; is it ImageReward\.pt\?"),
        ("more.pt", {**whole, "extra": torch.zeros(1)}, r"holds extra; is it ImageReward\.pt\?"),
        ("less.pt", {name: x for name, x in whole.items() if "mlp.layers.7" not in name}, r"lacks marks\.4"),
    ):
        torch.save(tensors, tmp_path / name)
        with pytest.raises(WeightsError, match=said):
            ImageReward(checkpoint=str(tmp_path / name), tokenizer=reward.tokenizer).build("cpu")


def built(clip: Path, file: Path) -> dict[str, Any]:
    rewards = {
        "clip_score": ClipScore(checkpoint=str(clip), batch=3),
        "pickscore": Pickscore(checkpoint=str(clip), batch=3),
        "hps": Hps(checkpoint=str(file), base=str(clip), batch=3),
        "aesthetic": Aesthetic(checkpoint=str(marks_file(clip)), base=str(clip), batch=3),
    }
    return {name: reward.build("cpu") for name, reward in rewards.items()}


def test_a_text_is_read_once_for_its_group(clip: Path, hps_file: tuple[Path, OpenClip], monkeypatch: Any) -> None:
    for name, scorer in built(clip, hps_file[0]).items():
        seen: list[int] = []
        right = scorer.pair.model.get_text_features

        def counted(input_ids: torch.Tensor, right: Any = right, seen: list[int] = seen, **more: Any) -> Any:
            seen.append(len(input_ids))
            return right(input_ids=input_ids, **more)

        monkeypatch.setattr(scorer.pair.model, "get_text_features", counted)
        scorer.score(IMAGES, PROMPTS)
        assert sum(seen) == (0 if name == "aesthetic" else 2), name


def test_what_is_missing_is_told_before_anything_is_loaded(clip: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(
        WeightsError, match=r"reward pickscore: nowhere is not a folder; give a folder, or hf://owner/name\[@revision\]"
    ):
        Pickscore(checkpoint="nowhere").require()
    with pytest.raises(WeightsError, match=r"holds no config\.json; give a folder as save_pretrained writes it"):
        ClipScore(checkpoint=str(tmp_path)).require()
    with pytest.raises(WeightsError, match=r"reward hps: nowhere\.pt names no file"):
        Hps(base=str(clip), checkpoint="nowhere.pt").require()
    with pytest.raises(MargrpoError, match=r"checkpoint = 'hf://one' must be a folder, or hf://owner/name"):
        ClipScore(checkpoint="hf://one")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="is not in the Hub's cache, and HF_HUB_OFFLINE is set"):
        Pickscore(checkpoint="hf://nobody/nothing").require()
    monkeypatch.setattr("margrpo.weights.pretrained.find_spec", lambda name: None)
    with pytest.raises(
        PluginError, match="reward aesthetic needs transformers, which is not installed; pip install tra"
    ):
        Aesthetic(checkpoint="x").require()


def test_files_that_do_not_fit_are_refused(clip: Path, hps_file: tuple[Path, OpenClip], tmp_path: Path) -> None:
    file, plain = hps_file
    half = {name: value for name, value in plain.state_dict().items() if "resblocks.1" not in name}
    wide = {**plain.state_dict(), "ln_final.weight": torch.zeros(7)}
    more = {**plain.state_dict(), "extra": torch.zeros(1)}
    for name, tensors, said in (
        ("half.pt", half, r"lacks text_model\.encoder\.layers\.1\..*; is it HPS's file, and `base` CLIP-H\?"),
        ("more.pt", more, r"holds extra; is it HPS's file"),
        ("wide.pt", wide, r"size mismatch for .*final_layer_norm.*; is it HPS's file"),
    ):
        torch.save({"state_dict": tensors}, tmp_path / name)
        with pytest.raises(WeightsError, match=said):
            Hps(checkpoint=str(tmp_path / name), base=str(clip)).build("cpu")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"junk\.pt: cannot be read as weights alone"):
        Hps(checkpoint=str(tmp_path / "junk.pt"), base=str(clip)).build("cpu")
    torch.save({"state_dict": {"a": Path("code")}}, tmp_path / "code.pt")
    with pytest.raises(WeightsError, match=r"code\.pt: cannot be read as weights alone"):
        Hps(checkpoint=str(tmp_path / "code.pt"), base=str(clip)).build("cpu")
    with pytest.raises(WeightsError, match=r"lacks 0\.weight; is it the predictor's, and `base` CLIP ViT-L/14\?"):
        Aesthetic(checkpoint=str(file), base=str(clip)).build("cpu")
    with pytest.raises(WeightsError, match=r"size mismatch for 0\.weight.*; is it the predictor's, and `base`"):
        Aesthetic(checkpoint=str(marks_file(clip, width=24)), base=str(clip)).build("cpu")
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="CLIPModel cannot be loaded from it"):
        ClipScore(checkpoint=str(tmp_path)).build("cpu")
