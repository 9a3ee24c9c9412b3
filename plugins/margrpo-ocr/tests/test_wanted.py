import pytest
from hypothesis import given
from hypothesis import strategies as st
from margrpo_ocr.wanted import normal, read_share, wanted

from margrpo.errors import DataError


@pytest.mark.parametrize(
    ("prompt", "metadata", "target"),
    [
        ('a sign that says "Open"', {}, "Open"),
        ("a poster “Grand Opening” on a wall", {}, "Grand Opening"),
        ('one card "Yes", another "No"', {}, "Yes No"),
        ("a book called «Prose»", {}, "Prose"),
        ('a sign that says "Open"', {"text": "Closed"}, "Closed"),
        ("don't quote, it's in the metadata", {"text": "Hello"}, "Hello"),
    ],
)
def test_what_is_to_be_read_is_quoted_or_in_the_metadata(prompt: str, metadata: dict[str, str], target: str) -> None:
    assert wanted(prompt, metadata) == target


@pytest.mark.parametrize(
    ("prompt", "metadata", "said"),
    [
        (
            "a dog's breakfast",
            {},
            'prompt "a dog\'s breakfast" does not quote a text; put the text in double quotes',
        ),
        ('a sign that says ""', {}, "does not quote a text"),
        ("a sign", {"text": " "}, "the metadata 'text' of prompt 'a sign' is ' ', and must be some text"),
        ("a sign", {"text": 3}, "is 3, and must be some text"),
    ],
)
def test_a_prompt_without_text_is_refused_by_name(prompt: str, metadata: dict[str, object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        wanted(prompt, metadata)
    assert said in str(caught.value)


def test_shares_by_hand() -> None:
    assert read_share("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert read_share("", "stop") == 0
    assert read_share("a long text about nothing", "stop") == 0
    assert read_share("bus stop here", "stop") == 0  # nine letters too many
    assert read_share("bus stop here", "stop", extra_is_free=True) == 1


@given(found=st.text(max_size=12), target=st.text(min_size=1, max_size=12))
def test_it_is_a_share_and_one_only_for_the_text_itself(found: str, target: str) -> None:
    share = read_share(found, target)
    assert 0 <= share <= 1
    assert (share == 1) == (found == target)


@given(text=st.text(max_size=20))
def test_what_is_ignored_makes_no_difference(text: str) -> None:
    plain = normal(text, ignore_case=True, ignore_spaces=True)
    spaced = normal("  ".join(text), ignore_case=True, ignore_spaces=True)
    assert plain == spaced
    assert normal("ÄB c", ignore_case=True, ignore_spaces=False) == "äb c"
    assert normal("A  b", ignore_case=False, ignore_spaces=False) == "A b"
