from pathlib import Path

import pytest

from margrpo.components.prompts.lines import Lines
from margrpo.declare import SettingError
from margrpo.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "prompts.txt"
    file.write_text("".join(f"{number} cats\n" for number in range(10)))
    return str(file)


def test_a_step_draws_whole_groups_of_different_prompts(path: str):
    drawn = Lines(path=path, prompts=3, group=2).draw(0, seed=1)
    assert len(drawn) == 6
    assert drawn.text[0::2] == drawn.text[1::2]
    assert len(set(drawn.text)) == 3
    assert drawn.keys == ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1))


def test_held_out_prompts_are_never_drawn(path: str):
    source = Lines(path=path, held_out_share=0.2, prompts=4, group=1)
    drawn = {text for step in range(20) for text in source.draw(step, seed=0).text}
    held_out = source.held_out()
    assert len(held_out) == 2
    assert held_out.keys == ((0, 0), (1, 0))
    assert drawn | set(held_out.text) == {f"{number} cats" for number in range(10)}
    assert drawn.isdisjoint(held_out.text)


def test_the_file_is_read_when_prompts_are_asked_for_and_not_before():
    source = Lines(path="nowhere.txt")
    with pytest.raises(DataError, match=r"prompt file nowhere\.txt does not exist"):
        source.draw(0, seed=0)


def test_a_share_above_one_is_refused():
    with pytest.raises(SettingError, match=r"held_out_share = 1\.5 must be between 0 and 1"):
        Lines(path="prompts.txt", held_out_share=1.5)
