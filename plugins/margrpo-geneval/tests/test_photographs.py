"""The networks for photographs on small random weights, against the library's own path, one picture at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from margrpo_geneval.blobs import Blobs
from margrpo_geneval.clip import Clip
from margrpo_geneval.colours import PALETTE, Mean
from margrpo_geneval.contracts import Detection
from margrpo_geneval.geneval import Geneval
from margrpo_geneval.grounding_dino import GroundingDino
from margrpo_geneval.mask2former import Mask2former
from margrpo_geneval.owlv2 import Owlv2
from margrpo_geneval.photographs.clip import cut
from margrpo_geneval.suite import Suite
from PIL import Image
from transformers import (
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    Mask2FormerForUniversalSegmentation,
    Mask2FormerImageProcessorPil,
    Owlv2ForObjectDetection,
    Owlv2Processor,
)

from margrpo.errors import DataError, MargrpoError, PluginError, WeightsError
from margrpo.pictures.grid import picture
from margrpo.records import Prompt, grouped

from . import tiny

DETECTORS: dict[str, Any] = {"owlv2": Owlv2, "grounding_dino": GroundingDino, "mask2former": Mask2former}


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, height, width), generator=torch.Generator().manual_seed(height)) / 255


def same(ours: Detection, name: str, score: float, box: torch.Tensor) -> None:
    assert ours.name == name
    assert ours.score == pytest.approx(score, abs=1e-5)
    assert ours.box == pytest.approx(box.tolist(), abs=1e-3)


def test_owlv2_finds_what_the_librarys_own_path_does(tmp_path: Path) -> None:
    place, names = tiny.owlv2(tmp_path), ["cat", "dog", "mat"]
    images = pictures(2, 40, 56)
    found = Owlv2(checkpoint=str(place), least=0.0).build("cpu").find(images, [names, names])
    processor, model = Owlv2Processor.from_pretrained(place), Owlv2ForObjectDetection.from_pretrained(place)
    for image, ours in zip(images, found, strict=True):
        texts = [[f"a photo of a {name}" for name in names]]
        inputs = processor(text=texts, images=picture(image, 1), return_tensors="pt")
        with torch.no_grad():
            out = model(**inputs)
        (theirs,) = processor.post_process_grounded_object_detection(
            out, threshold=0.0, target_sizes=[(40, 56)], text_labels=[names]
        )
        assert len(ours) == len(theirs["scores"]) == 16
        for each, name, score, box in zip(ours, theirs["text_labels"], theirs["scores"], theirs["boxes"], strict=True):
            same(each, name, float(score), box)
    assert len({each.name for ours in found for each in ours}) > 1


def test_grounding_dino_gives_each_box_the_name_with_the_likeliest_word(tmp_path: Path) -> None:
    place, names = tiny.grounding_dino(tmp_path), ["fire hydrant", "dog", "traffic light"]
    images = pictures(2, 48, 64)
    found = GroundingDino(checkpoint=str(place), least=0.0).build("cpu").find(images, [names, names])
    processor = GroundingDinoProcessor.from_pretrained(place)
    model = GroundingDinoForObjectDetection.from_pretrained(place)
    for image, ours in zip(images, found, strict=True):
        inputs = processor(images=picture(image, 1), text=[names], return_tensors="pt")
        with torch.no_grad():
            out = model(**inputs)
        (theirs,) = processor.post_process_grounded_object_detection(
            out, inputs["input_ids"], threshold=0.0, text_threshold=0.0, target_sizes=[(48, 64)]
        )
        words = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
        assert words == ["[CLS]", "fire", "hydrant", ".", "dog", ".", "traffic", "light", ".", "[SEP]"]
        p = out.logits[0].sigmoid()
        of_names = torch.stack([p[:, [1, 2]].amax(1), p[:, 4], p[:, [6, 7]].amax(1)], dim=1)
        assert len(ours) == len(theirs["scores"]) == 12
        for each, box, scores, most in zip(ours, theirs["boxes"], of_names, theirs["scores"], strict=True):
            same(each, names[int(scores.argmax())], float(scores.max()), box)
            assert each.score <= float(most) + 1e-5
    assert len({each.name for ours in found for each in ours}) == 3


def test_more_classes_than_grounding_dino_reads_are_refused(tmp_path: Path) -> None:
    finder = GroundingDino(checkpoint=str(tiny.grounding_dino(tmp_path))).build("cpu")
    with pytest.raises(DataError, match="detector grounding_dino: 12 classes are 25 words; 24 are too many"):
        finder.find(pictures(1, 48, 64), [["dog", "cat"] * 6])


def test_mask2former_finds_the_objects_and_masks_that_the_librarys_own_path_does(tmp_path: Path) -> None:
    """At the size that the library makes its masks in, where both must agree."""
    place = tiny.mask2former(tmp_path)
    images = pictures(2, 384, 384)
    asked = ["person", "dog", "tv", "computer keyboard"]
    found = Mask2former(checkpoint=str(place), least=0.0).build("cpu").find(images, [asked, asked])
    processor = Mask2FormerImageProcessorPil.from_pretrained(place)
    model = Mask2FormerForUniversalSegmentation.from_pretrained(place)
    ours_by_score: dict[float, Detection] = {}
    for image, ours in zip(images, found, strict=True):
        with torch.no_grad():
            out = model(**processor(images=picture(image, 1), return_tensors="pt"))
        (theirs,) = processor.post_process_instance_segmentation(
            out, threshold=0.0, target_sizes=[(384, 384)], return_binary_maps=True
        )
        known = {"person": 0, "dog": 2, "tv": 3, "computer keyboard": 4}
        ours_by_score = {round(each.score, 4): each for each in ours}
        wanted = [
            (info, mask)
            for info, mask in zip(theirs["segments_info"], theirs["segmentation"], strict=True)
            if info["label_id"] in known.values()
        ]
        assert len(wanted) == len(ours)
        for info, mask in wanted:
            each = ours_by_score[round(info["score"], 4)]
            assert known[each.name] == info["label_id"]
            assert each.mask is not None
            assert torch.equal(each.mask, mask.bool())
            rows, columns = np.nonzero(mask.numpy())
            assert each.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert ours_by_score


def test_masks_have_the_pictures_size(tmp_path: Path) -> None:
    finder = Mask2former(checkpoint=str(tiny.mask2former(tmp_path)), least=0.0).build("cpu")
    (found,) = finder.find(pictures(1, 40, 72), [tiny.CLASSES])
    assert found
    for each in found:
        assert each.mask is not None
        assert each.mask.shape == (40, 72)
        left, top, right, bottom = each.box
        assert 0 <= left < right <= 72
        assert 0 <= top < bottom <= 40


def test_a_class_that_mask2former_does_not_know_is_refused(tmp_path: Path) -> None:
    finder = Mask2former(checkpoint=str(tiny.mask2former(tmp_path))).build("cpu")
    with pytest.raises(
        DataError, match="knows no 'unicorn'; it knows person, cat, dog, tvmonitor, keyboard; detectors that find what"
    ):
        finder.find(pictures(1, 40, 40), [["unicorn"]])


@pytest.mark.parametrize("name", DETECTORS)
def test_what_one_image_is_searched_for_does_not_touch_another(name: str, tmp_path: Path) -> None:
    place = getattr(tiny, name)(tmp_path)
    finder = DETECTORS[name](checkpoint=str(place), least=0.0).build("cpu")
    images, names = pictures(4, 48, 64), [["cat"], ["dog", "cat"], [], ["cat"]]
    together = finder.find(images, names)
    assert together[2] == []
    for image, wanted, ours in zip(images, names, together, strict=True):
        (alone,) = finder.find(image[None], [wanted])
        assert len(alone) == len(ours)
        for one, other in zip(alone, ours, strict=True):
            same(one, other.name, other.score, torch.tensor(other.box))


@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_below_the_least_score_are_left_out(name: str, tmp_path: Path) -> None:
    place = getattr(tiny, name)(tmp_path)
    every = DETECTORS[name](checkpoint=str(place), least=0.0).build("cpu").find(pictures(1, 48, 64), [["cat", "dog"]])
    scores = sorted(each.score for each in every[0])
    middle = (scores[0] + scores[-1]) / 2
    some = DETECTORS[name](checkpoint=str(place), least=middle).build("cpu").find(pictures(1, 48, 64), [["cat", "dog"]])
    assert [each.score for each in some[0]] == [each.score for each in every[0] if each.score >= middle]
    assert 0 < len(some[0]) < len(every[0])


def test_clip_names_the_colour_that_the_librarys_own_path_finds_likeliest(tmp_path: Path) -> None:
    place, image = tiny.clip(tmp_path), pictures(1, 48, 64)[0]
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[10:30, 5:50] = True
    boxes = [(2.0 * i, 1.0 * i, 2.0 * i + 17, i + 23.0) for i in range(12)]
    objects = [Detection("car" if i % 2 else "bus", 1.0, box, mask if i % 3 else None) for i, box in enumerate(boxes)]
    ours = Clip(checkpoint=str(place), batch=5).build("cpu").colours(image, objects)
    model, tokenizer = CLIPModel.from_pretrained(place), CLIPTokenizer.from_pretrained(place)
    processor = CLIPImageProcessorPil.from_pretrained(place)
    for each, found in zip(objects, ours, strict=True):
        pixels = processor(cut(picture(image, 1), each), return_tensors="pt")["pixel_values"]
        likely = {}
        for colour in PALETTE:
            texts = [f"a photo of a {colour} {each.name}", f"a photo of a {colour}-colored {each.name}"]
            tokens = tokenizer([*texts, f"a photo of a {colour} object"], padding=True, return_tensors="pt")
            with torch.no_grad():
                out = model(pixel_values=pixels, **tokens)
            mean = out.text_embeds.mean(0)
            likely[colour] = float(out.image_embeds[0] @ mean / mean.norm())
        assert found == max(likely, key=lambda colour: likely[colour])
    assert len(set(ours)) > 1


def test_an_object_is_cut_out_with_grey_around_its_mask() -> None:
    picture = Image.new("RGB", (20, 10), "red")
    mask = torch.zeros(10, 20, dtype=torch.bool)
    mask[2:4, 5:8] = True
    piece = np.asarray(cut(picture, Detection("car", 1.0, (4.0, 1.0, 9.0, 5.0), mask)))
    assert piece.shape == (4, 5, 3)
    assert (piece[1:3, 1:4] == (255, 0, 0)).all()
    assert (piece[0] == 0x99).all()
    assert cut(picture, Detection("car", 1.0, (30.0, -9.0, 40.0, -2.0))).size == (1, 1)
    assert cut(picture, Detection("car", 1.0, (-5.0, -5.0, 50.0, 50.0))).size == (20, 10)


def test_geneval_scores_photographs_with_a_detector_and_clip(tmp_path: Path) -> None:
    detector = Owlv2(checkpoint=str(tiny.owlv2(tmp_path / "owlv2")), least=0.0)
    reward = Geneval(
        detector=detector, colour_classifier=Clip(checkpoint=str(tiny.clip(tmp_path / "clip"))), threshold=0.0
    )
    reward.require()
    assert reward.traits.parameters == 583_000_000
    prompts = [
        Prompt("a red cat", metadata={"include": [{"class": "cat", "count": 1, "color": "red"}]}),
        Prompt("two dogs", metadata={"tag": "counting", "include": [{"class": "dog", "count": 2}]}),
    ]
    scores = reward.build("cpu").score(pictures(4, 48, 64), grouped(prompts, 2))
    assert scores.shape == (4,)
    assert bool(((scores >= 0) & (scores <= 1)).all())
    assert float(scores[:2].min()) >= 0.5  # a cat is always found, whatever its colour


def test_what_is_missing_is_told_before_anything_is_loaded(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "empty").mkdir()
    for name, component in DETECTORS.items():
        with pytest.raises(WeightsError, match=rf"detector {name}: nowhere is not a folder; give a folder, or hf://"):
            component(checkpoint="nowhere").require()
    with pytest.raises(WeightsError, match=r"colour_classifier clip: .* holds no config\.json"):
        Geneval(detector=Owlv2(), colour_classifier=Clip(checkpoint=str(tmp_path / "empty"))).require()
    with pytest.raises(MargrpoError, match=r"query = 'cat' must be a text with \{name\} in it"):
        Owlv2(query="cat")
    monkeypatch.setattr("margrpo.weights.pretrained.find_spec", lambda name: None)
    with pytest.raises(PluginError, match="detector owlv2 needs transformers, which is not installed; pip install tra"):
        Geneval(detector=Owlv2()).require()


def test_a_detector_that_tells_no_colours_needs_something_that_does() -> None:
    said = "colour_classifier is missing, and the detector does not name colours"
    for parts, missing in (({"detector": Owlv2()}, True), ({"detector": Owlv2(), "colour_classifier": Mean()}, False)):
        for whole in (Geneval(**parts), Suite(**parts)):
            assert [said in problem for problem in whole.problems()] == [True] * missing
    assert Geneval(detector=Blobs()).problems() == []
