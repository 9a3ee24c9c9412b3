"""Whether a file can be written, asked before there is anything to write."""

from pathlib import Path

from margrpo.errors import RunError


def refuse_unwritable(to: Path, ending: str, name: str) -> None:
    """Raise `RunError` where the file could not be written, so that nothing is made in vain; nothing is left behind."""
    try:
        if to.suffix.lower() != ending or not to.parent.is_dir():
            raise RunError(f"{name}: must be a file that ends in {ending}, in a folder that exists")
        was_there = to.exists()
        to.open("ab").close()
        if not was_there:
            to.unlink()
    except OSError as error:
        raise RunError(f"{name}: cannot be written ({error.strerror}); give another file") from None
