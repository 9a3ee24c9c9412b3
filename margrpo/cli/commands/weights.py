"""`margrpo weights`: inspect, convert."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from margrpo.cli.arguments import refuse_unwritable
from margrpo.cli.recognised_weights import Recognised, recognised
from margrpo.cli.terminal import err, facts, out, size
from margrpo.errors import WeightsError
from margrpo.weights import source

if TYPE_CHECKING:
    from margrpo.weights.file import Tensors, WeightFile

app = typer.Typer(help="Inspect and convert files of weights.", no_args_is_help=True)


class Which(StrEnum):
    """The sets of weights in a published file."""

    ema = "ema"
    model = "model"


Source = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A path, package://package/FILE or hf://owner/name/FILE.", show_default=False),
]


@app.command()
def inspect(file: Source) -> None:
    """Show what a file of weights holds, which policy or codec it fits, and the recipe lines that load it.

    Example: margrpo weights inspect runs/quickstart-1/final/policy.safetensors
    """
    source.fetched(file)  # before torch is loaded
    from margrpo.weights.file import opened

    with err().status(f"reading {file}"):
        found = opened(file)
        digest, rows = source.sha256_of(found.path), [row(*each) for each in found.sets.items()]
    out().print(Text(file, "bold cyan"), soft_wrap=True)
    lines: list[tuple[str, str | Path]] = [("format", found.format), ("size", size(found.path.stat().st_size))]
    facts([*lines, ("sha256", digest), *([("also in it", ", ".join(found.rest))] if found.rest else [])])
    out().print()
    out().print(sets_table(rows))
    for is_what in parts(found):
        tell_part(is_what, found, digest)


def row(name: str, tensors: "Tensors") -> tuple[str, ...]:
    """The row of a set: name, tensors, parameters, size, types of numbers, and the norm or where it is not finite."""
    import torch

    from margrpo.weights.modules import dtype_name

    values = sum(tensor.numel() for tensor in tensors.values())
    stored = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    dtypes = ", ".join(sorted({dtype_name(tensor) for tensor in tensors.values()}))
    norms = {name: torch.linalg.vector_norm(each.detach().abs().float()) for name, each in tensors.items()}
    wrong = [name for name, norm in norms.items() if not norm.isfinite()]
    whole = f"{float(torch.stack(list(norms.values())).double().norm()):.4g}"
    return name, f"{len(tensors):,}", f"{values:,}", size(stored), dtypes, not_finite(wrong) or whole


def not_finite(names: list[str]) -> str:
    """The tensors that hold NaN or infinity, the first by its name, in words."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"NaN or infinity in {names[0]}{more}" if names else ""


def sets_table(rows: list[tuple[str, ...]]) -> Table:
    """A table with a row for each set of tensors."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold cyan")
    for name in ("set", "tensors", "parameters", "size", "numbers", "norm"):
        table.add_column(name, justify="right" if name in ("tensors", "parameters", "size") else "left")
    for each in rows:
        table.add_row(*each)
    return table


def parts(found: "WeightFile") -> list[Recognised | None]:
    """The component of each set in a file of margrpo, or the one component of a published file."""
    from margrpo.weights.file import PREFERENCE

    if found.is_ours:
        return [recognised(name, tensors) for name, tensors in found.sets.items()]
    first = next((name for name in PREFERENCE["ema"] if name in found.sets), next(iter(found.sets)))
    return [recognised(first, found.sets[first])]


def tell_part(what: Recognised | None, found: "WeightFile", digest: str) -> None:
    """Print the component that tensors fit, with recipe lines to paste."""
    out().print()
    if what is None:
        out().print("Its names fit neither a policy nor a codec that margrpo knows.")
        return
    out().print(Text.assemble((f"{what.part}.{what.use}", "bold cyan"), f"  {what.what}"))
    if what.problems:
        more = f"; and {len(what.problems) - 3} more" if len(what.problems) > 3 else ""
        out().print(f"It does not fit: {'; '.join(what.problems[:3])}{more}.", soft_wrap=True, markup=False)
        return
    choice = "ema" if what.part == "policy" and (found.is_ours or "model_ema" in found.sets) else "model"
    head = [f"[{what.part}]", f'use = "{what.use}"', f'checkpoint = "{found.source}"', f'weights = "{choice}"']
    head.append(f'sha256 = "{digest}"')
    out().print("\n" + "\n".join([*head, *what.settings]), soft_wrap=True, markup=False)


@app.command()
def convert(
    file: Source,
    to: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.", show_default=False)],
    weights: Annotated[
        Which, typer.Option(metavar="ema|model", help="The moving average, where the file has one, or the model.")
    ] = Which.ema,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")] = False,
) -> None:
    """Convert a published file of a policy or a codec to margrpo's own format, without optimizer state.

    Example: margrpo weights convert checkpoint-last.pth mar_base.safetensors
    """
    source.fetched(file)
    refuse_unwritable(to, ".safetensors", str(to))
    if to.exists() and not force:
        raise WeightsError(f"{to}: exists already; add --force to overwrite it, or give another name")
    with err().status(f"converting {file}"):
        part, name, tensors = converted(file, weights.value)
        from margrpo.weights.modules import write_tensors

        write_tensors(to, tensors)
    count = sum(tensor.numel() for tensor in tensors.values())
    what = f"{name}: {len(tensors):,} tensors, {count:,} parameters, {size(to.stat().st_size)}"
    facts([("wrote", to), ("holds", what), ("use it as", f'{part}.checkpoint = "{to}"')])


def converted(file: str, weights: str) -> "tuple[str, str, Tensors]":
    """The part that a published file is for, the name of the chosen set, and its tensors under margrpo's names."""
    from margrpo.weights.file import opened
    from margrpo.weights.published_names import kind_of_names, our_name, without_loss

    found = opened(file)
    if found.is_ours:
        raise WeightsError(f"{file}: is in margrpo's own format already; use it as it is")
    name = found.choice("policy", weights)
    tensors = without_loss(found.sets[name])
    part, is_what = kind_of_names(tensors), recognised("model", tensors)
    if part is None or is_what is None:
        raise WeightsError(f"{file}: its names fit neither a policy nor a codec that margrpo knows")
    if is_what.problems:
        raise WeightsError(f"{file}: does not fit {part}.{is_what.use}: {'; '.join(is_what.problems[:3])}")
    names = {each: our_name(each) if part == "policy" else each for each in tensors}
    return part, name, {f"{part}.{names[each]}": tensor.detach() for each, tensor in tensors.items()}
