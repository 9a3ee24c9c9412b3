"""The 1000 classes of ImageNet (ILSVRC 2012)   (imagenet): their names as data, no images."""

from functools import cache
from importlib.resources import files


@cache
def class_names() -> tuple[tuple[str, ...], ...]:
    """Every name of every class in the order of labels, the commonest name first   (wordnet)."""
    lines = (files(__name__) / "classes.txt").read_text(encoding="utf-8").splitlines()
    synsets = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple(tuple(names.split(", ")) for _, names in synsets)


__all__ = ["class_names"]
