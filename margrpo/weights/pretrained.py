"""A whole model as a folder that `save_pretrained` wrote, or a repository on the Hugging Face Hub; imports no torch."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from margrpo.declare import Check
from margrpo.errors import PluginError, WeightsError

HUB = "hf://"
PLACES = "a folder, or hf://owner/name[@revision]"

_REPOSITORY = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^@]+))?")
known_place = Check(lambda text: not text.startswith(HUB) or bool(_REPOSITORY.fullmatch(text)), PLACES)


def require(place: str, what: str, *packages: str) -> None:
    """Raise a `MargrpoError` if a package is missing or a folder does not hold a model; does not use the network.

    `what` is the component that needs the model, such as "reward pickscore".
    """
    for package in packages:
        if find_spec(package) is None:
            raise PluginError(f"{what} needs {package}, which is not installed; pip install {package}")
    if trouble := obstacle(place):
        raise WeightsError(f"{what}: {place} {trouble}")


def obstacle(place: str) -> str:
    """The reason why the model cannot be read, to follow the words `PLACE `, or ""; does not use the network."""
    if place.startswith(HUB):
        return _of_repository(place)
    folder = Path(place)
    if not folder.is_dir():
        return f"is not a folder; give {PLACES}"
    if not any((folder / name).is_file() for name in ("config.json", "tokenizer_config.json")):
        return "holds no config.json; give a folder as save_pretrained writes it"
    return ""


def loaded(cls: Any, place: str, **more: Any) -> Any:
    """The model that `cls.from_pretrained` reads from a folder or repository, given `more`; or `WeightsError`."""
    match = _REPOSITORY.fullmatch(place)
    name, revision = (match[1], match[2]) if match else (place, None)
    try:
        return cls.from_pretrained(name, **({"revision": revision} if revision else {}), **more)
    except Exception as error:  # safetensors, tokenizers and what a configuration names raise whatever they do
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise WeightsError(f"{place}: {cls.__name__} cannot be loaded from it ({said[:200]})") from None


def _of_repository(place: str) -> str:
    try:
        from huggingface_hub import constants, try_to_load_from_cache
    except ImportError:
        return "needs huggingface_hub, which is not installed; pip install huggingface_hub, or give a folder"
    match = _REPOSITORY.fullmatch(place)
    if not match:
        return f"names no repository; give {PLACES}"
    here = isinstance(try_to_load_from_cache(match[1], "config.json", revision=match[2]), str)
    if here or not constants.HF_HUB_OFFLINE:
        return ""
    return "is not in the Hub's cache, and HF_HUB_OFFLINE is set; unset it to download the model, or give a folder"
