"""Which text a prompt asks for, and how much of it was read."""

import re
from collections.abc import Mapping
from typing import Any

from margrpo.errors import DataError

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»')
KEY = "text"
"""The key of a prompt's metadata that says what is to be read, where the prompt does not quote it."""


def wanted(prompt: str, metadata: Mapping[str, Any]) -> str:
    """The text that is to be read: that of the metadata, or what the prompt has in double quotes, in its order."""
    said = metadata.get(KEY)
    if said is None:
        said = " ".join(next(filter(None, groups)) for groups in _QUOTED.findall(prompt))
        if not said:
            raise DataError(
                f"reward ocr: prompt {prompt!r} quotes no text; put what is to be read in double quotes, or into its "
                f"metadata as {KEY!r}"
            )
    if not isinstance(said, str) or not said.strip():
        raise DataError(f"reward ocr: the metadata {KEY!r} of prompt {prompt!r} is {said!r}, and must be some text")
    return said


def normal(text: str, *, ignore_case: bool, ignore_spaces: bool) -> str:
    """The text as it is compared."""
    text = text.casefold() if ignore_case else text
    return "".join(text.split()) if ignore_spaces else " ".join(text.split())


def read_share(found: str, target: str, *, extra_is_free: bool = False) -> float:
    """1 − d/n with the edit distance d from what was found to a target of n letters, and 0 where d is larger.

    Where extra letters are free, a target that was found among others scores 1.
    """
    from rapidfuzz.distance import Levenshtein

    if extra_is_free and target in found:
        return 1.0
    return max(0.0, 1 - Levenshtein.distance(found, target) / len(target))
