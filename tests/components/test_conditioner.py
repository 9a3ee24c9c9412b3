import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from margrpo.components.conditioner import Caption, Label
from margrpo.errors import DataError
from margrpo.records import NO_LABEL, Prompt, grouped

CAPTION = Caption(words=("a", "red", "circle"), prefix=4)


def test_a_caption_by_hand():
    assert CAPTION.indices(grouped([Prompt("A red circle"), Prompt("red")], 1)).tolist() == [[1, 2, 3, 0], [2, 0, 0, 0]]


@settings(derandomize=True, deadline=None)
@given(words=st.lists(st.sampled_from(CAPTION.words), min_size=1, max_size=4))
def test_a_caption_can_be_read_back_from_its_rows(words: list[str]):
    rows = CAPTION.row(" ".join(words))
    assert len(rows) == 4
    assert [CAPTION.words[row - 1] for row in rows if row] == words


def test_a_prefix_is_the_rows_of_the_table():
    embedded = CAPTION.build(width=5)
    prefix = embedded(grouped([Prompt("red a")], 2))
    assert prefix.shape == (2, 4, 5)
    assert torch.equal(prefix[1], embedded.class_emb.weight[[2, 1, 0, 0]])


def test_an_unknown_word_and_captions_that_are_empty_or_too_long_are_refused():
    with pytest.raises(DataError, match=r"prompt 'a blue circle': the policy does not know .*'blue'; it knows a, red"):
        CAPTION.row("a blue circle")
    with pytest.raises(DataError, match="prompt ' ': has no words; write a caption of a, red, circle"):
        CAPTION.row(" ")
    with pytest.raises(DataError, match="has 5 words, the policy reads at most 4"):
        CAPTION.row("a a a a a")


def test_a_label_fills_every_position():
    label = Label(classes=3, prefix=2)
    prompts = grouped([Prompt("", 2), Prompt("", 0)], 1)
    assert label.indices(prompts).tolist() == [[2, 2], [0, 0]]
    assert label.build(width=4)(prompts).shape == (2, 2, 4)


@pytest.mark.parametrize("wrong", [NO_LABEL, 3])
def test_a_label_that_is_no_class_is_refused(wrong: int):
    with pytest.raises(DataError, match=rf"label {wrong}: the policy has classes 0 to 2; give prompts a label"):
        Label(classes=3, prefix=2).indices(grouped([Prompt("", wrong)], 1))
