import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.prompts.jsonl import Jsonl
from margrpo.errors import DataError
from margrpo.prompt_file import prompt_of_object

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


def test_a_line_gives_text_label_and_the_rest_as_metadata(tmp_path: Path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"text": "a cat", "label": 281, "tag": "animal"}\n\n{"text": "a dog", "count": 2}\n')
    held_out_path = tmp_path / "held_out.jsonl"
    held_out_path.write_text('{"text": "a fox"}\n')
    source = Jsonl(path=str(path), held_out_path=str(held_out_path), prompts=2, group=1)
    drawn = source.draw(0, seed=0)
    assert dict(zip(drawn.text, zip(drawn.label.tolist(), drawn.metadata, strict=True), strict=True)) == {
        "a cat": (281, {"tag": "animal"}),
        "a dog": (-1, {"count": 2}),
    }
    assert source.held_out().text == ("a fox",)


@given(text=st.text().filter(str.strip), metadata=st.dictionaries(st.text(min_size=1), JSON))
def test_any_text_and_metadata_come_through_unchanged(text: str, metadata: dict[str, Any]):
    metadata = {key: value for key, value in metadata.items() if key not in ("text", "label")}
    prompt = prompt_of_object(json.dumps({"text": text, **metadata}), "here")
    assert (prompt.text, prompt.metadata) == (text.strip(), metadata)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"text": "a cat"', "not JSON (Expecting ',' delimiter at column 17); write one object a line."),
        ('["a cat"]', '["a cat"] is not an object; write it as {"text": ...}.'),
        ('{"prompt": "a cat"}', '"text" is missing, and must be a string that is not blank.'),
        ('{"text": 3}', '"text" is 3, and must be a string that is not blank.'),
        ('{"text": " "}', '"text" is " ", and must be a string that is not blank.'),
        ('{"text": "a cat", "label": "281"}', '"label" is "281", and must be an integer, 0 or more, or be left out.'),
        ('{"text": "a cat", "label": true}', '"label" is true, and must be an integer, 0 or more, or be left out.'),
        ('{"text": "a cat", "label": -1}', '"label" is -1, and must be an integer, 0 or more, or be left out.'),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str, says: str):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"text": "a dog"}\n' + line + "\n")
    with pytest.raises(DataError) as said:
        Jsonl(path=str(path)).held_out()
    assert str(said.value) == f"{path}, line 2: {says}"


def test_the_same_text_with_other_metadata_is_a_repeat(tmp_path: Path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"text": "a dog", "tag": 1}\n{"text": "a dog", "tag": 2}\n')
    with pytest.raises(DataError, match="repeats prompts: 'a dog' on lines 1 and 2"):
        Jsonl(path=str(path)).held_out()
