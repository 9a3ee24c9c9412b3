"""Checks of the machine and of installed packages."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch

from margrpo.doctor.finding import Check, Finding
from margrpo.errors import MargrpoError
from margrpo.plan.memory import GIB
from margrpo.plugin.hookspecs import Entry
from margrpo.plugin.registry import Registry
from margrpo.recipe import Recipe, load
from margrpo.train.loop import train
from margrpo.train.run import occupied
from margrpo.train.run.versions import versions as versions_here

LEAST_DISK = 2 * GIB
LEAST_MEMORY = 2 * GIB
CLOSE = 2e-3
"""Largest difference between two implementations of attention in float32, for values of the order of 1."""


def checks(among: Registry, place: Path) -> list[Check]:
    """The checks of the machine; `place` is where runs would be written."""
    return [
        Check("versions", lambda: versions(among)),
        Check("devices", devices),
        Check("precision", precision),
        Check("attention", lambda: attention(among)),
        Check("memory", memory),
        Check("disk", lambda: disk(place)),
        Check("plugins", lambda: plugins(among)),
        Check("toy run", toy_run),
    ]


def versions(among: Registry) -> Iterator[Finding]:
    """Report the versions of Python and of libraries that decide the numbers."""
    found = versions_here(among)
    said = ", ".join(f"{name} {found[name]}" for name in ("margrpo", "torch", "numpy"))
    yield Finding("versions", "pass", f"{said}, Python {platform.python_version()}, {platform.system()}")


def devices() -> Iterator[Finding]:
    """Report the devices that torch can compute on."""
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding("devices", "pass", f"cuda:{index}: {properties.name}, {properties.total_memory / GIB:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Finding("devices", "pass", "mps")
    threads = torch.get_num_threads()
    yield Finding("devices", "pass", f"cpu: {os.cpu_count()} cores, torch uses {threads} thread{'s' * (threads > 1)}")
    if shutil.which("nvidia-smi") and not torch.cuda.is_available():
        yield Finding(
            "devices",
            "warn",
            "there is an NVIDIA driver, but torch does not find a GPU",
            "install a build of torch for CUDA: see pytorch.org/get-started",
        )


def usable() -> Iterator[str]:
    """The devices of this machine."""
    if torch.cuda.is_available():
        yield "cuda"
    if torch.backends.mps.is_available():
        yield "mps"
    yield "cpu"


def precision() -> Iterator[Finding]:
    """Check the types in which each device multiplies matrices correctly."""
    for device in usable():
        exact = torch.arange(64.0).view(8, 8)
        kinds = []
        for dtype in (torch.float32, torch.bfloat16, torch.float16):
            made = (exact.to(device, dtype) @ torch.eye(8, device=device, dtype=dtype)).float().cpu()
            if torch.allclose(made, exact, rtol=1e-2):
                kinds.append(str(dtype).removeprefix("torch."))
        well = "float32" in kinds
        said = f"{device}: {', '.join(kinds) or 'no type gives right products'}"
        yield Finding("precision", "pass" if well else "fail", said, "" if well else "choose another run.device")


def attention(among: Registry) -> Iterator[Finding]:
    """Check each implementation of attention against the plain formula."""
    device = next(usable())
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(12, 2, 16, generator=generator).to(device) for _ in range(3))
    expected = torch.cat([plain(*(x[some] for x in (q, k, v))) for some in (slice(0, 5), slice(5, 12))])

    def look(entry: Entry) -> Iterator[Finding]:
        backend = among.load(entry)()
        try:
            backend.require()
        except MargrpoError as error:
            yield Finding("attention", "warn", f"{entry.name}: {error}", "matters only to recipes that use it")
            return
        gap = float((backend.attention(q, k, v, [5, 7]) - expected).abs().max())
        if gap <= CLOSE:
            yield Finding("attention", "pass", f"{entry.name} on {device}: within {gap:.0e} of the plain formula")
        else:
            yield Finding(
                "attention", "fail", f"{entry.name} on {device} is off by {gap:.2g}", "choose another [attention]"
            )

    for entry in among.entries("attention"):
        yield from Check("attention", partial(look, entry)).findings()


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(qkᵀ / √d) v of one sequence."""
    scores = torch.einsum("nhd,mhd->hnm", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("hnm,mhd->nhd", scores.softmax(-1), v)


def memory() -> Iterator[Finding]:
    """Report the free memory of each device."""
    for device in usable():
        free = free_memory(device)
        if free is None:
            continue
        little = free < LEAST_MEMORY
        remedy = "end other processes, or take a larger machine" if little else ""
        yield Finding("memory", "warn" if little else "pass", f"{device}: {free / GIB:.1f} GiB free", remedy)


def free_memory(device: str) -> int | None:
    """Free bytes of a device, or None if unknown."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found and device == "cpu" else None


def disk(place: Path) -> Iterator[Finding]:
    """Check that runs can be written, and report the free space."""
    above = next(each for each in (place, *place.absolute().parents) if each.exists())
    occupied.check(place)
    with tempfile.NamedTemporaryFile(dir=above) as file:
        file.write(b"x" * 4096)
        file.flush()
    free = shutil.disk_usage(above).free
    little = free < LEAST_DISK
    remedy = "free some space, or choose another --out" if little else ""
    yield Finding("disk", "fail" if little else "pass", f"{above.absolute()}: {free / GIB:.1f} GiB free", remedy)


def plugins(among: Registry) -> Iterator[Finding]:
    """Report installed plugins, and plugins that cannot be loaded."""
    for failure in among.failures:
        yield Finding("plugins", "fail", str(failure))
    names = ", ".join(plugin.name for plugin in among.plugins if plugin.distribution != "margrpo")
    yield Finding("plugins", "pass", names or "none")


def toy_run() -> Iterator[Finding]:
    """Train three steps with the reward brightness from the model in the package: the score must rise."""
    recipe = load(Path(str(files("margrpo.doctor") / "toy.toml")))
    assert isinstance(recipe, Recipe)
    with tempfile.TemporaryDirectory() as folder:
        summary = train(recipe, Path(folder) / "toy")
    assert summary is not None
    score = summary["held_out"]
    said = f"brightness {score['before']:.3f} before, {score['after']:.3f} after, in {summary['seconds']:.0f} s"
    if score["difference"] > 0:
        yield Finding("toy run", "pass", f"three steps: {said}; replay parity held")
    else:
        yield Finding(
            "toy run", "fail", f"three steps did not raise the score: {said}", "this build computes wrong gradients"
        )
