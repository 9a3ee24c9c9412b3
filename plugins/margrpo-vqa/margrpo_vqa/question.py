"""Questions about a picture; imports no torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from margrpo import Check, record
from margrpo.errors import DataError

KEY = "questions"
"""The key of a prompt's metadata that lists its questions."""
TEXT = "{text}"
QUESTION = "{question}"
"""The word that a template of a vision-language model holds for the question."""
has_text = Check(lambda said: TEXT in said, f"a question with {TEXT} where the prompt's text is to stand")


@record
class Question:
    """A question that is answered with yes or no, and whether yes is right."""

    words: str
    yes_is_right: bool = True


def questions(text: str, metadata: Mapping[str, Any], general: str, reward: str) -> list[Question]:
    """The questions of a prompt's metadata, or the `general` question about its text.

    An entry is a question whose right answer is yes, or an object with `question` and `answer`, yes or no.
    """
    listed = metadata.get(KEY)
    if listed is None:
        return [Question(general.replace(TEXT, text))]
    if isinstance(listed, str) or not isinstance(listed, Sequence) or not listed:
        raise refusal(reward, text, KEY, f"is {listed!r}, and must list questions")
    return [question(each, text, f"{KEY}.{place}", reward) for place, each in enumerate(listed)]


def question(said: Any, text: str, where: str, reward: str) -> Question:
    """The question of an entry."""
    words, answer = (said.get("question"), said.get("answer", "yes")) if isinstance(said, Mapping) else (said, "yes")
    if not isinstance(words, str) or not words.strip():
        raise refusal(reward, text, where, f"is {said!r}, and must be a question, or an object that has one")
    if not isinstance(answer, str) or answer.lower() not in ("yes", "no"):
        raise refusal(reward, text, f"{where}.answer", f"is {answer!r}, and must be yes or no")
    return Question(words, answer.lower() == "yes")


def refusal(reward: str, text: str, key: str, trouble: str) -> DataError:
    """An error about a key of a prompt's metadata."""
    return DataError(f"reward {reward}: {key!r} in the metadata of prompt {text!r} {trouble}")
