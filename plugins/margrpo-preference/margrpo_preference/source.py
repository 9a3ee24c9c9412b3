"""Where a model is: a folder of `save_pretrained`, or a repository on the Hugging Face Hub; imports no torch."""

import re
from importlib.util import find_spec
from pathlib import Path

from margrpo.declare import Check
from margrpo.errors import PluginError, WeightsError

HUB = "hf://"
_REPOSITORY = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([^@]+))?")
PLACES = "a folder, or hf://owner/name[@revision]"
known_place = Check(lambda text: not text.startswith(HUB) or bool(_REPOSITORY.fullmatch(text)), PLACES)
NEEDED = ("config.json",)


def require(place: str, reward: str) -> None:
    """Raise a `MargrpoError` where transformers is missing, or a folder that is named holds no model."""
    if find_spec("transformers") is None:
        raise PluginError(f"reward {reward} needs transformers, which is not installed; pip install transformers")
    if place.startswith(HUB):
        if obstacle(place):
            raise WeightsError(f"{place}: {obstacle(place)}")
        return
    folder = Path(place)
    if not folder.is_dir():
        raise WeightsError(f"{place}: is no folder; give {PLACES}")
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{place}: holds no config.json; give a folder as save_pretrained writes it")


def obstacle(place: str) -> str:
    """What keeps a repository from being had without the network, where the Hub is switched off, or nothing."""
    from huggingface_hub import constants, try_to_load_from_cache

    name, revision = named(place)
    here = try_to_load_from_cache(name, "config.json", revision=revision)
    if constants.HF_HUB_OFFLINE and not isinstance(here, str):
        return "is not in the Hub's cache, and HF_HUB_OFFLINE is set; unset it to download the model, or give a folder"
    return ""


def named(place: str) -> tuple[str, str | None]:
    """What transformers' from_pretrained takes: a repository's name and revision, or a folder."""
    match = _REPOSITORY.fullmatch(place)
    return (match[1], match[2]) if match else (place, None)
