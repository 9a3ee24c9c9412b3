"""Sources of weights: a path, a file inside a package, or a file on the Hugging Face Hub; imports no torch."""

import hashlib
import importlib.util
import re
from pathlib import Path
from typing import Any

from margrpo.declare import Check
from margrpo.errors import WeightsError

PACKAGED = "package://"
HUB = "hf://"
SOURCES = "a path, package://package/FILE or hf://owner/name/FILE[@revision]"

_HUB_FILE = re.compile(r"hf://([\w.-]+/[\w.-]+)/([^@]*[^@/])(?:@([^@]+))?")
known_form = Check(lambda text: not text.startswith(HUB) or bool(_HUB_FILE.fullmatch(text)), SOURCES)
_DIGEST = re.compile(r"([0-9a-fA-F]{64})?")
digest = Check(lambda text: bool(_DIGEST.fullmatch(text)), "64 hexadecimal digits, or empty", {"pattern": "^.{0,64}$"})


def unnamed(checkpoint: str, weights: str) -> list[str]:
    """The problem of a component that is to load weights but names no file."""
    if checkpoint or weights == "random":
        return []
    return [f'checkpoint is missing; give {SOURCES}, or set weights = "random"']


def located(source: str) -> Path | None:
    """The path of a source's file, if this machine has it already; does not use the network."""
    if source.startswith(HUB):
        return _cached(source)
    path = _packaged(source) if source.startswith(PACKAGED) else Path(source)
    return path if path is not None and _is(path, "file") else None


def obstacle(source: str) -> str:
    """The reason why the file cannot be read, to follow the words `SOURCE `, or ""; does not use the network."""
    if source.startswith(HUB):
        try:
            here, offline = _cached(source), _hub(source).constants.HF_HUB_OFFLINE
        except WeightsError as error:
            return str(error).removeprefix(f"{source}: ")
        return "" if here or not offline else _OFFLINE
    if located(source):
        return ""
    return "is a folder; give the file in it" if _is(Path(source), "dir") else "names no file"


def fetched(source: str) -> Path:
    """The path of a source's file, downloaded from the Hub if its cache lacks it; or a `WeightsError`."""
    if source.startswith(HUB):
        return _downloaded(source)
    if path := located(source):
        return path
    if source.startswith(PACKAGED):
        raise WeightsError(f"{source}: no installed package has this file; install the package, or give a path")
    if _is(Path(source), "dir"):
        raise WeightsError(f"{source}: is a folder; give the file in it")
    raise WeightsError(f"{source}: there is no such file; give {SOURCES}")


def verify(path: Path, sha256: str, source: str) -> None:
    """Raise `WeightsError` unless the file has the SHA-256 `sha256`; "" is not checked."""
    if not sha256:
        return
    found = sha256_of(path)
    if found != sha256.lower():
        raise WeightsError(
            f"{source}: its SHA-256 is {found} where sha256 = {sha256}; fetch the file again, or correct sha256"
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file of any length, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is(path: Path, what: str) -> bool:
    """Whether `path` is a "file" or a "dir", as `what` says; a path too long for the file system is neither."""
    try:
        return path.is_file() if what == "file" else path.is_dir() and str(path) != "."
    except OSError:
        return False


def _packaged(source: str) -> Path | None:
    package, _, name = source.removeprefix(PACKAGED).partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((Path(folder) / name for folder in folders if (Path(folder) / name).is_file()), None)


_OFFLINE = (
    "is not in the Hub's cache, and HF_HUB_OFFLINE is set; unset it to download the file, or give a path to a copy"
)


def _hub(source: str) -> Any:
    try:
        import huggingface_hub.errors
    except ImportError:
        raise WeightsError(
            f'{source}: needs huggingface_hub, which is not installed; pip install "margrpo[mar]", or give a path to a '
            "copy"
        ) from None
    return huggingface_hub


def _hub_file(source: str) -> dict[str, str | None]:
    match = _HUB_FILE.fullmatch(source)
    if not match:
        raise WeightsError(f"{source}: names no file on the Hub; write hf://owner/name/FILE, with @revision if need be")
    repository, file, revision = match.groups()
    return {"repo_id": repository, "filename": file, "revision": revision}


def _cached(source: str) -> Path | None:
    file = _hub_file(source)
    found = _hub(source).try_to_load_from_cache(**file)
    return Path(found) if isinstance(found, str) else None


def _downloaded(source: str) -> Path:
    file, hub = _hub_file(source), _hub(source)
    try:
        return Path(hub.hf_hub_download(**file))
    except (OSError, ValueError) as error:  # every error of huggingface_hub and of its connection is one of these
        raise WeightsError(f"{source}: {_refusal(error, file, hub)}") from None


def _refusal(error: Exception, file: dict[str, str | None], hub: Any) -> str:
    """A sentence that says what the Hub's error means, and what to do."""
    errors, repository = hub.errors, file["repo_id"]
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        if hub.constants.HF_HUB_OFFLINE:
            return _OFFLINE
        return "is not in the Hub's cache, and the Hub cannot be reached; connect, or give a path to a copy"
    if isinstance(error, errors.GatedRepoError):
        return f"{repository} asks for permission; get it at huggingface.co/{repository} and run `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no repository {repository}, or it is private; correct the name, or run `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repository} has no revision {file['revision']}; correct what stands after @"
    if isinstance(error, errors.EntryNotFoundError):
        return f"{repository} has no file {file['filename']}; see huggingface.co/{repository}/tree/main"
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"cannot be downloaded ({said}); try again, or give a path to a copy"
