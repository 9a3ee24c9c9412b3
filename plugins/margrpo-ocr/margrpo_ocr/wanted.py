"""The text that a prompt asks for, and the share of it that was read."""

import re
from collections.abc import Mapping
from typing import Any

from margrpo.errors import DataError

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»')
KEY = "text"
"""The key of a prompt's metadata that holds the text, if the prompt does not quote it."""


def wanted(prompt: str, metadata: Mapping[str, Any]) -> str:
    """The text to be read: from the metadata, or else the prompt's words in double quotes, in order."""
    said = metadata.get(KEY)
    if said is None:
        said = " ".join(next(filter(None, groups)) for groups in _QUOTED.findall(prompt))
        if not said:
            raise DataError(
                f"reward ocr: prompt {prompt!r} does not quote a text; put the text in double quotes, or into the "
                f"metadata as {KEY!r}"
            )
    if not isinstance(said, str) or not said.strip():
        raise DataError(f"reward ocr: the metadata {KEY!r} of prompt {prompt!r} is {said!r}, and must be some text")
    return said


def normal(text: str, *, ignore_case: bool, ignore_spaces: bool) -> str:
    """The form in which texts are compared."""
    text = text.casefold() if ignore_case else text
    return "".join(text.split()) if ignore_spaces else " ".join(text.split())


def read_share(found: str, target: str, *, extra_is_free: bool = False) -> float:
    """1 − d/n with the edit distance d from what was found to a target of n letters, and 0 where d is larger.

    With `extra_is_free`, a target that was found among other letters scores 1.
    """
    from rapidfuzz.distance import Levenshtein

    if extra_is_free and target in found:
        return 1.0
    return max(0.0, 1 - Levenshtein.distance(found, target) / len(target))
