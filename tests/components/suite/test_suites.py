from pathlib import Path

import pytest

from margrpo.components.reward.brightness import Brightness
from margrpo.components.suite.preference import Preference
from margrpo.components.suite.shapes import Shapes
from margrpo.errors import DataError, MargrpoError
from margrpo.evaluate.suite import rewards_of
from margrpo.worlds.shapes import KINDS, held_out_captions


def test_shapes_has_the_held_out_captions_by_kind() -> None:
    whole, some = Shapes(), Shapes(count=12)
    assert [prompt.text for prompt in whole.prompts()] == list(held_out_captions())
    assert [prompt.text for prompt in some.prompts()] == list(held_out_captions(12))
    assert {whole.category(prompt) for prompt in whole.prompts()} == set(KINDS)
    (reward,) = rewards_of(whole)
    assert reward.strictness == 1.0  # type: ignore[attr-defined]


def test_a_file_of_prompts_is_scored_by_whatever_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"text": "a cat", "category": "animals"}\n{"text": "a car"}\n')
    suite = Preference(path=str(tmp_path / "p.jsonl"), reward=(Brightness(),))
    suite.require()
    assert [(prompt.text, suite.category(prompt)) for prompt in suite.prompts()] == [
        ("a cat", "animals"),
        ("a car", "other"),
    ]
    assert rewards_of(suite) == (Brightness(),)
    (tmp_path / "p.txt").write_text("a cat\n\na dog\n")
    assert [each.text for each in Preference(path=str(tmp_path / "p.txt"), reward=(Brightness(),)).prompts()] == [
        "a cat",
        "a dog",
    ]


def test_a_suite_that_scores_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MargrpoError, match=r"reward = \(\) must be at least one"):
        Preference(path="x", reward=())
    (tmp_path / "p.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r'p\.jsonl, line 1: "text" is missing'):
        Preference(path=str(tmp_path / "p.jsonl"), reward=(Brightness(),)).require()
