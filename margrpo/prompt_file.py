"""A file of prompts, one per line: read, checked, and split into training and held-out prompts."""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from margrpo.errors import DataError
from margrpo.records import Prompt

Parse = Callable[[str, str], Prompt]
"""A function from a stripped line and its place to the prompt; an unusable line raises `DataError` with the place."""

LISTED = 3
LONGEST = 80


def read_prompts(path: str, parse: Parse) -> tuple[Prompt, ...]:
    """The prompts of a UTF-8 file in order; an empty file or a repeated prompt raises `DataError`."""
    lines = enumerate(_text(Path(path)).split("\n"), start=1)
    found = [(number, parse(line.strip(), f"{path}, line {number}")) for number, line in lines if line.strip()]
    if not found:
        raise DataError(f"The prompt file {path} holds no prompts; write one per line.")
    first: dict[str, int] = {}
    places = [(prompt.text, first.setdefault(prompt.text, number), number) for number, prompt in found]
    repeats = [f"{quoted(text)} on lines {before} and {number}" for text, before, number in places if before < number]
    if repeats:
        raise DataError(f"The prompt file {path} repeats prompts: {_listed(repeats)}; keep one line of each.")
    return tuple(prompt for _, prompt in found)


def split_by_share(prompts: Sequence[Prompt], share: float, path: str) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """Training and held-out prompts, at least one of each; the split depends on neither a seed nor the file's order."""
    if len(prompts) < 2:
        raise DataError(
            f"The prompt file {path} holds 1 prompt, of which none can be held out; add prompts or set held_out_path."
        )
    count = min(max(1, round(share * len(prompts))), len(prompts) - 1)
    ordered = sorted((prompt.text for prompt in prompts), key=lambda text: sha256(text.encode()).digest())
    held = set(ordered[:count])
    return tuple(p for p in prompts if p.text not in held), tuple(p for p in prompts if p.text in held)


def refuse_overlap(train: Sequence[Prompt], held_out: Sequence[Prompt], paths: tuple[str, str]) -> None:
    """Raise `DataError` if a prompt to train on is also held out."""
    held = {prompt.text for prompt in held_out}
    shared = [quoted(prompt.text) for prompt in train if prompt.text in held]
    if shared:
        raise DataError(
            f"Prompts to train on in {paths[0]} are held out in {paths[1]} too: {_listed(shared)}; keep them in one."
        )


def split_files(
    path: str, held_out_path: str | None, share: float, *, parse: Parse
) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """Training and held-out prompts; held-out prompts come from a second file, or are a share of the first."""
    prompts = read_prompts(path, parse)
    if held_out_path is None:
        return split_by_share(prompts, share, path)
    held_out = read_prompts(held_out_path, parse)
    refuse_overlap(prompts, held_out, (path, held_out_path))
    return prompts, held_out


def _text(path: Path) -> str:
    """The file's text without a byte order mark."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DataError(f"The prompt file {path} cannot be read to its end; give a text file.")
    try:
        return path.read_bytes().decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"The prompt file {path} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start} "
            f"({error.reason}); save it as UTF-8."
        ) from error
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise DataError(
            f"The prompt file {path} {reason}; a relative path starts at the working directory, {Path.cwd()}."
        ) from error


def quoted(text: str) -> str:
    """A prompt in quotes, cut where it is long."""
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _listed(items: Sequence[str]) -> str:
    """The first few items, and the number of the rest."""
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return ", ".join(items[:LISTED]) + more


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
    raise ValueError(f"{word} is not a value of JSON")


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
