"""Prompt files that are nearly right: prompts, or a sentence with the file and the line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.components.prompts.jsonl import Jsonl
from margrpo.components.prompts.lines import Lines
from margrpo.errors import DataError
from margrpo.maths import noise
from tests.faults.count import fuzz

CAPTIONS = [f"a {colour} {shape}" for colour in ("red", "blue", "green") for shape in ("circle", "square", "cross")]
LINES = [caption.encode() for caption in CAPTIONS]
OBJECTS = [json.dumps({"text": text, "label": place, "kind": "x"}).encode() for place, text in enumerate(CAPTIONS)]

JSON_LINES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"a red circle"',
    b"NaN",
    b'{"text": "x"',
    b'{"text": ""}',
    b'{"text": 3}',
    b'{"text": null}',
    b'{"text": "\\ud800"}',
    b'{"text": "a", "label": true}',
    b'{"text": "a", "label": 1.0}',
    b'{"text": "a", "label": -1}',
    b'{"text": "b", "label": 9223372036854775808}',
    b'{"text": "c", "label": ' + b"9" * 5000 + b"}",
    b'{"text": "d", "more": NaN}',
    b'{"text": "e", "more": Infinity}',
    b'{"text": "f", "text": "g"}',
    b'{"text": "h", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"text": "i", "\\ud800": 1}',
    b'{"text": "' + b"long " * 200_000 + b'"}',
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
    b"a\rb\x0bc\x0cd",
    "a\u2028b\u0085c".encode(),
    b"x" * 1_000_000,
]


@st.composite
def files(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Some lines of a sound file, and a few that are not, perhaps torn."""
    chosen = draw(st.lists(st.sampled_from(lines), unique=True, max_size=9))
    for _ in range(draw(st.integers(0, 3))):
        odd = draw(st.sampled_from(JSON_LINES) | st.binary(max_size=12) | st.text(max_size=12).map(_encoded))
        chosen.insert(draw(st.integers(0, len(chosen))), odd)
    text = draw(st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"])).join(chosen)
    if draw(st.booleans()) and text:
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + bytes([text[at] ^ (1 << draw(st.integers(0, 7)))]) + text[at + 1 :]
    return draw(st.sampled_from([text, text + b"\n", b"\xef\xbb\xbf" + text]))


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def hold(source: Any, path: Path) -> None:
    """Whether a source gives prompts that can be drawn by, or says in a sentence why it cannot."""
    said = ""
    try:
        source.require()
        for prompts in (source.draw(0, 0), source.draw(7, 1), source.held_out()):
            assert all(text.strip() and text.encode() for text in prompts.text)
            noise.normal(prompts.keys[:2], (1,))
            assert prompts.label.min() >= -1
            json.dumps(prompts.metadata, allow_nan=False)
    except DataError as error:
        said = str(error)
    assert not said or str(path) in said
    assert "\n" not in said
    assert len(said) < 1000


@given(files(OBJECTS), st.sampled_from([0.1, 0.5, 0.0, 1.0]))
@fuzz(150, 3500)
def test_a_mutated_file_of_objects_is_prompts_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, share: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    path.write_bytes(text)
    hold(Jsonl(path=str(path), held_out_share=share, prompts=2, group=2), path)


@given(files(LINES), st.sampled_from([0.1, 0.5, 0.0, 1.0]))
@fuzz(100, 2000)
def test_a_mutated_file_of_lines_is_prompts_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, share: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    path.write_bytes(text)
    hold(Lines(path=str(path), held_out_share=share, prompts=2, group=2), path)


def test_a_line_of_ten_megabytes_is_read_or_refused_in_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b'{"text": "' + b"long " * 2_000_000 + b'"}\n' + b"\n".join(OBJECTS))
    hold(Jsonl(path=str(path)), path)
    path.write_bytes(b"[" * 10_000_000 + b"\n")
    hold(Jsonl(path=str(path)), path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing", "device"])
def test_what_is_no_file_is_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    with pytest.raises(DataError, match=str(path)):
        Lines(path=str(path)).require()
