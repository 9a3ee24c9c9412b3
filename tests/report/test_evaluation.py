import re
from pathlib import Path

import numpy as np
import pytest

from margrpo.evaluate.result import compared, parts, read, result, words
from margrpo.evaluate.suite import Examined
from margrpo.records import Prompt
from margrpo.report.evaluation import page
from tests.report import evaluations


def test_a_category_called_like_the_whole_does_not_take_its_place() -> None:
    found = result({"base": evaluations.examined()["base"]}, evaluations.FACTS)
    assert list(parts(["overall", "thing"])) == ["overall", "overall (category)", "thing"]
    assert [where.tolist() for where in parts(["overall", "thing"]).values()] == [[1, 1], [1, 0], [0, 1]]
    assert found["rewards"]["shapes"]["overall"]["base"]["prompts"] == 3


def test_a_share_of_yes_is_told_by_the_rewards_range_and_all_its_scores() -> None:
    prompts, categories = tuple(map(Prompt, "abcd")), ("one", "one", "other", "other")
    yes = Examined(prompts, categories, 1, {"shapes": np.array([1.0, 1.0, 0.0, 1.0])})
    part = Examined(prompts, categories, 1, {"shapes": np.array([1.0, 1.0, 0.0, 0.5])})
    facts = evaluations.FACTS | {"images": 1, "prompts": 4}

    def of_ones(one: Examined, shares: list[str]) -> float | None:
        return result({"base": one}, facts | {"shares": shares})["rewards"]["shapes"]["one"]["base"]["low"]

    assert of_ones(yes, ["shapes"]) == pytest.approx(2 / (2 + 3.8415), abs=1e-4)
    assert of_ones(yes, []) is None  # 0 and 1 by chance, of a reward with another range
    assert of_ones(part, ["shapes"]) is None  # all ones, beside a category that has halves


def test_means_are_over_prompts_and_differences_in_pairs() -> None:
    found = result(evaluations.examined(), evaluations.FACTS)
    rows = found["rewards"]["shapes"]
    assert list(rows) == ["overall", "animal", "thing"]
    assert rows["animal"]["base"]["mean"] == 0.25
    assert rows["animal"]["tuned"]["mean"] == 0.75
    assert rows["animal"]["difference"]["mean"] == 0.5
    assert rows["thing"]["difference"] == {"mean": 0.0, "low": None, "high": None, "p": 1.0, "prompts": 1}
    assert "| thing | 1 | 0.500 |" in "\n".join(words(found))


def test_what_was_written_is_read_and_compared(tmp_path: Path) -> None:
    evaluations.page_of(tmp_path)
    found, last = read(tmp_path)
    assert found["policies"] == ["base", "tuned"]
    assert last.of_prompts("shapes").tolist() == [1.0, 0.5, 0.5]
    assert compared(tmp_path, tmp_path)["rewards"]["shapes"]["overall"]["difference"]["mean"] == 0


def test_the_page_shows_each_picture_of_both_and_no_prompt_is_html(tmp_path: Path) -> None:
    text = evaluations.page_of(tmp_path)
    assert "a &lt;b&gt;cat&lt;/b&gt;" in text
    assert "<b>cat" not in text
    assert text.count("data:image/webp") == 12
    widths = [float(each) for each in re.findall(r"width:([\d.]+)%\"></i>", text)]
    assert len(widths) == 6
    assert max(widths) <= 100
    assert widths[0] == pytest.approx(100 / 3 / max(1.0, 1.0))  # a third, of an axis that ends at 1


def test_pictures_that_are_gone_are_left_out(tmp_path: Path) -> None:
    evaluations.page_of(tmp_path)
    (tmp_path / "images" / "base" / "00001.png").unlink()
    found, _ = read(tmp_path)
    assert page(found, dict.fromkeys(["base", "tuned"], tmp_path)).count("data:image/webp") == 10
