"""A line of a JSON Lines file as a prompt."""

import json
from typing import Any

from margrpo.errors import DataError
from margrpo.maths.dealing import Prompt

LARGEST_LABEL = 2**63 - 1


def prompt_of_object(line: str, where: str) -> Prompt:
    """The prompt that a line of JSON holds; anything else is a `DataError` that says where."""
    found = object_of(line, where)
    text, label = found.pop("text", None), found.pop("label", None)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f'{where}: "text" is {_shown(text)}, and must be a string that is not blank.')
    if label is None:
        return Prompt(text.strip(), metadata=found)
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label <= LARGEST_LABEL:
        raise DataError(f'{where}: "label" is {_shown(label)}, and must be an integer, 0 or more, or be left out.')
    return Prompt(text.strip(), label, found)


def object_of(line: str, where: str) -> dict[str, Any]:
    """The object that a line of JSON holds."""
    try:
        found = json.loads(line, parse_constant=_no_constant, object_pairs_hook=_once_each)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno}); write one object a line.") from error
    except UnicodeEncodeError:
        raise DataError(f"{where}: holds half of a character (a lone surrogate); write the character itself.") from None
    except RecursionError:
        raise DataError(f"{where}: lies too deep in itself to be read; write an object of plain values.") from None
    except ValueError as error:  # a constant that is no JSON, a key that comes twice, or digits beyond Python's limit
        raise DataError(f"{where}: {_brief(str(error).partition(';')[0])}; write one object a line.") from None
    if not isinstance(found, dict):
        raise DataError(f'{where}: {_shown(found)} is not an object; write it as {{"text": ...}}.')
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no value of JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for place, (key, _) in enumerate(pairs):
        if key in (other for other, _ in pairs[:place]):
            raise ValueError(f"the key {_shown(key)} comes twice")
    return dict(pairs)


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _shown(value: Any) -> str:
    """A value as JSON, cut to a length that fits a sentence; absent where it is None."""
    return "missing" if value is None else _brief(json.dumps(value, ensure_ascii=False))
