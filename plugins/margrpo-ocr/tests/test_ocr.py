import pytest
import torch
from margrpo_ocr.ocr import PARAMETERS, Ocr
from margrpo_ocr.picture import picture

from margrpo.errors import PluginError
from margrpo.records import Prompt, grouped

SCORER = Ocr().build("cpu")


def score(image: torch.Tensor, prompt: str, **settings: object) -> float:
    scorer = Ocr(**settings).build("cpu") if settings else SCORER
    return float(scorer.score(image[None], grouped([Prompt(prompt)], 1)))


@pytest.mark.parametrize("text", ["FRESH COFFEE", "Stop", "OPEN 24 HOURS", "3.14159", "Fresh\nCoffee", "don't panic"])
def test_a_text_that_is_there_scores_one(text: str) -> None:
    assert score(picture(text), f'a sign "{" ".join(text.split())}"') == 1.0


@pytest.mark.parametrize("side", [128, 256, 640])
def test_the_size_of_the_picture_makes_no_difference(side: int) -> None:
    assert score(picture("Stop", side=side, size=side // 8), 'a sign "Stop"') == 1.0


def test_a_letter_that_is_wrong_costs_its_share() -> None:
    assert score(picture("FRESH COFFEE"), 'a sign "fresh toffee"') == pytest.approx(1 - 1 / 11)


def test_a_picture_without_text_scores_nothing() -> None:
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    for image in (torch.ones(3, 256, 256), torch.zeros(3, 8, 8), noise):
        assert score(image, 'a sign "Stop"') == 0.0


def test_case_counts_only_where_it_is_asked_for() -> None:
    assert score(picture("FRESH COFFEE"), 'a sign "Fresh Coffee"', ignore_case=False) < 0.5
    assert score(picture("FRESH COFFEE"), 'a sign "Fresh Coffee"') == 1.0


def test_lines_are_read_from_top_to_bottom() -> None:
    assert score(picture("one\ntwo\nthree"), '"one two three"') == 1.0
    assert score(picture("three\ntwo\none"), '"one two three"') < 0.5


def test_other_text_counts_unless_it_is_free() -> None:
    both = picture("Stop\nnow please")
    assert score(both, 'a sign "Stop"') == 0.0
    assert score(both, 'a sign "Stop"', extra_is_free=True) == 1.0


def test_colours_do_not_hide_the_text() -> None:
    image = picture("Stop") * torch.tensor([1.0, 0.2, 0.2])[:, None, None]  # black on red
    assert score(image, 'a sign "Stop"') == 1.0


def test_the_parameters_are_those_of_the_files_in_the_wheel() -> None:
    from pathlib import Path

    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    size = sum(path.stat().st_size for path in models.glob("PP-OCRv6_*_small.onnx"))
    assert size // 4 == PARAMETERS


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("margrpo_ocr.ocr.find_spec", lambda name: None)
    with pytest.raises(PluginError, match="reward ocr needs rapidocr, which is not installed; pip install rapidocr"):
        Ocr().require()
