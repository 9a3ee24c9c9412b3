"""A file of prompts, one a line: read, checked, and split into those to train on and those held out."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from margrpo.errors import DataError
from margrpo.maths.dealing import Prompt

Parse = Callable[[str, str], Prompt]
"""From a stripped line and where it stands to its prompt, or a `DataError` that says where."""

LISTED = 3
LONGEST = 80


def read_prompts(path: str, parse: Parse) -> tuple[Prompt, ...]:
    """The prompts of a UTF-8 file in its order; no prompts, or one of them twice, is a `DataError`."""
    lines = enumerate(_text(Path(path)).split("\n"), start=1)
    found = [(number, parse(line.strip(), f"{path}, line {number}")) for number, line in lines if line.strip()]
    if not found:
        raise DataError(f"The prompt file {path} holds no prompts; write one a line.")
    first: dict[str, int] = {}
    places = [(prompt.text, first.setdefault(prompt.text, number), number) for number, prompt in found]
    repeats = [f"{shown(text)} on lines {before} and {number}" for text, before, number in places if before < number]
    if repeats:
        raise DataError(f"The prompt file {path} repeats prompts: {_listed(repeats)}; keep one line of each.")
    return tuple(prompt for _, prompt in found)


def split_by_share(prompts: Sequence[Prompt], share: float, path: str) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """Those to train on and those held out, at least one of each; neither seed nor order of the file changes which."""
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
    shared = [shown(prompt.text) for prompt in train if prompt.text in held]
    if shared:
        raise DataError(
            f"Prompts to train on in {paths[0]} are held out in {paths[1]} too: {_listed(shared)}; keep them in one."
        )


def split_files(
    path: str, held_out_path: str | None, share: float, *, parse: Parse
) -> tuple[tuple[Prompt, ...], tuple[Prompt, ...]]:
    """The prompts to train on and those held out: from a second file if there is one, else a share of the first."""
    prompts = read_prompts(path, parse)
    if held_out_path is None:
        return split_by_share(prompts, share, path)
    held_out = read_prompts(held_out_path, parse)
    refuse_overlap(prompts, held_out, (path, held_out_path))
    return prompts, held_out


def _text(path: Path) -> str:
    """The file's text without a byte order mark."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DataError(f"The prompt file {path} is no file that can be read to its end; give a text file.")
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


def shown(text: str) -> str:
    """A prompt in quotes, cut where it is long."""
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")


def _listed(items: Sequence[str]) -> str:
    """The first few items, and how many more there are."""
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return ", ".join(items[:LISTED]) + more
