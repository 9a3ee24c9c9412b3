"""The versions of everything that decides the numbers of a run."""

from importlib import metadata

from margrpo.plugin.registry import Registry, registry


def versions(among: Registry | None = None) -> dict[str, str]:
    """The versions of the libraries that decide the numbers and of plugins, and the digests of functions in files."""
    found = among or registry()
    names = ("margrpo", "torch", "numpy", "scipy", "einops", "attrs", "cattrs", "pluggy", "safetensors")
    plugins = sorted({found.distribution(entry) for entry in found.entries()})
    return {name: installed(name) for name in (*names, *plugins)} | found.files()


def installed(name: str) -> str:
    """The version of a distribution, or "not installed"."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
