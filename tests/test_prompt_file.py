import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from margrpo.errors import DataError
from margrpo.prompt_file import read_prompts, split_by_share, split_files
from margrpo.records import Prompt


def as_it_is(line: str, where: str) -> Prompt:
    return Prompt(line)


def write(folder: Path, content: bytes, name: str = "prompts.txt") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def texts(prompts: tuple[Prompt, ...]) -> list[str]:
    return [prompt.text for prompt in prompts]


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_prompt(tmp_path: Path):
    path = write(tmp_path, b"\xef\xbb\xbfa cat\r\n\r\n  a dog \r\n")
    assert texts(read_prompts(path, as_it_is)) == ["a cat", "a dog"]


def test_a_line_separator_inside_a_prompt_does_not_end_it(tmp_path: Path):
    path = write(tmp_path, "a\u2028cat\n".encode())
    assert texts(read_prompts(path, as_it_is)) == ["a\u2028cat"]


def test_a_missing_file_is_named_with_the_folder_it_was_looked_for_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        DataError, match=r"prompt file nowhere\.txt does not exist; a relative path starts at the"
    ) as said:
        read_prompts("nowhere.txt", as_it_is)
    assert os.fspath(tmp_path) in str(said.value)


def test_a_folder_is_no_prompt_file(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read \\(Is a directory\\)"):
        read_prompts(str(tmp_path), as_it_is)


@pytest.mark.parametrize("content", [b"", b"\n  \n"])
def test_a_file_without_prompts_is_refused(tmp_path: Path, content: bytes):
    with pytest.raises(DataError, match="holds no prompts; write one per line"):
        read_prompts(write(tmp_path, content), as_it_is)


def test_a_file_that_is_not_utf8_is_refused_with_the_byte_and_its_offset(tmp_path: Path):
    path = write(tmp_path, b"a caf\xe9\n")
    with pytest.raises(DataError, match=r"is not UTF-8: byte 0xe9 at offset 5 .*; save it as UTF-8"):
        read_prompts(path, as_it_is)


def test_repeated_prompts_are_listed_with_their_lines(tmp_path: Path):
    path = write(tmp_path, b"a\nb\na\nb\nb\na\n")
    with pytest.raises(
        DataError, match="'a' on lines 1 and 3, 'b' on lines 2 and 4, 'b' on lines 2 and 5 and 1 more; keep"
    ):
        read_prompts(path, as_it_is)


@given(count=st.integers(2, 40), share=st.floats(0, 1))
def test_a_share_leaves_prompts_on_both_sides_and_loses_none(count: int, share: float):
    prompts = [Prompt(str(number)) for number in range(count)]
    train, held_out = split_by_share(prompts, share, "prompts.txt")
    assert sorted(texts(train) + texts(held_out)) == sorted(texts(tuple(prompts)))
    assert train
    assert held_out
    assert abs(len(held_out) - share * count) <= 1


def test_the_order_of_the_file_does_not_change_which_prompts_are_held_out():
    prompts = [Prompt(str(number)) for number in range(20)]
    _, before = split_by_share(prompts, 0.3, "prompts.txt")
    _, after = split_by_share(prompts[::-1], 0.3, "prompts.txt")
    assert set(texts(before)) == set(texts(after))


def test_a_single_prompt_cannot_be_held_out_from_itself(tmp_path: Path):
    with pytest.raises(
        DataError, match="holds 1 prompt, of which none can be held out; add prompts or set held_out_path"
    ):
        split_files(write(tmp_path, b"a cat\n"), None, 0.5, parse=as_it_is)


def test_a_second_file_is_held_out_whole(tmp_path: Path):
    train, held_out = split_files(
        write(tmp_path, b"a\nb\n"), write(tmp_path, b"c\n", "held_out.txt"), 0.5, parse=as_it_is
    )
    assert (texts(train), texts(held_out)) == (["a", "b"], ["c"])


def test_a_prompt_in_both_files_is_refused(tmp_path: Path):
    path, held_out_path = write(tmp_path, b"a\nb\n"), write(tmp_path, b"b\nc\n", "held_out.txt")
    with pytest.raises(DataError, match=r"prompts\.txt are held out in .*held_out\.txt too: 'b'; keep them in one"):
        split_files(path, held_out_path, 0.5, parse=as_it_is)
