import json
from pathlib import Path

import pytest
from margrpo_geneval.blobs import Blobs
from margrpo_geneval.captions import metadata_of
from margrpo_geneval.suite import Suite

from margrpo.errors import DataError
from margrpo.records import grouped
from margrpo.worlds import shapes


def test_prompts_are_drawn_of_all_six_kinds_always_the_same() -> None:
    suite = Suite(detector=Blobs(), count=24)
    assert [each.text for each in suite.prompts()] == [
        each.text for each in Suite(detector=Blobs(), count=24).prompts()
    ]
    counts = [suite.category(each) for each in suite.prompts()]
    assert {kind: counts.count(kind) for kind in set(counts)} == dict.fromkeys(
        ["single object", "two object", "counting", "colors", "position", "color attr"], 4
    )


def test_the_public_file_is_read_and_scored(tmp_path: Path) -> None:
    """On the world of shapes, whose pictures are rendered right."""
    captions = ["a red circle", "two crosses", "a blue square and a green triangle"]
    lines = [json.dumps({"prompt": caption, **metadata_of(caption)}) for caption in captions]
    (tmp_path / "evaluation_metadata.jsonl").write_text("\n".join(lines))
    suite = Suite(detector=Blobs(), path=str(tmp_path / "evaluation_metadata.jsonl"))
    suite.require()
    assert [each.text for each in suite.prompts()] == captions
    (reward,) = suite.rewards()
    from margrpo_geneval.rendered import pixels

    right = pixels(shapes.Scene((shapes.Placed("circle", "red", 16, 16),)))
    scores = reward.build("cpu").score(right.expand(3, -1, -1, -1), grouped(suite.prompts(), 1))
    assert scores.tolist() == [1.0, 0.0, 0.0]


def test_a_line_that_is_no_prompt_is_told(tmp_path: Path) -> None:
    for text, said in (("{", "not JSON"), ('{"include": []}', '"text" is missing'), ("[1]", "is not an object")):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(DataError, match=said):
            Suite(detector=Blobs(), path=str(tmp_path / "x.jsonl")).require()
