"""The figures of `margrpo bench` as tables and sentences."""

import platform
from typing import TYPE_CHECKING, Any

from rich.table import Table

from margrpo.cli.commands.plan import plural, titled
from margrpo.cli.terminal import size

if TYPE_CHECKING:
    from margrpo.evaluate.bench.against_dense import DenseComparison
    from margrpo.evaluate.bench.bench import Bench
    from margrpo.evaluate.bench.figures import Figures
    from margrpo.evaluate.bench.scaling import ScalingPoint
    from margrpo.evaluate.bench.step import UpdateCounts


def table(title: str, found: "dict[str, Figures]", caption: str) -> Table:
    """A table of measurements: a row for each part of a measurement, and one for the whole."""
    shown = titled(title, "seconds", "GFLOP", "GFLOP/s", "of the peak", "peak memory")
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, figures in found.items():
        if len(found) == 1:
            for part, (seconds, flops) in figures.cost.parts.items():
                share = figures.peaks.share(part, seconds, flops)
                shown.add_row(part, *speed(seconds, flops), f"{share:.0%}" if flops else "", "", style="dim")
            shown.add_section()
        cost = figures.cost
        shown.add_row(name, *speed(cost.seconds, cost.flops), f"{figures.peak_share:.0%}", size(cost.peak_bytes))
    shown.caption, shown.caption_justify = caption, "left"
    return shown


def scaling_table(points: "list[ScalingPoint]") -> Table:
    """A table with a row for each value of a size; ratios are to the first row."""
    shown = titled(
        "the update at", "seconds", "ratio", "GFLOP", "of the peak", "peak memory", "ratio", "head evaluations"
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    least = points[0].figures.cost
    for point in points:
        cost = point.figures.cost
        shown.add_row(
            f"{point.varied} = {point.value:,}",
            f"{cost.seconds:.3g}",
            f"{cost.seconds / least.seconds:.2f}",
            f"{cost.flops / 1e9:,.3g}",
            f"{point.figures.peak_share:.0%}",
            size(cost.peak_bytes),
            f"{cost.peak_bytes / least.peak_bytes:.2f}",
            f"{point.evaluations:,}",
        )
    return shown


def speed(seconds: float, flops: float) -> tuple[str, str, str]:
    """The cells for seconds, GFLOP and GFLOP/s."""
    return f"{seconds:.3g}", f"{flops / 1e9:,.3g}", f"{flops / seconds / 1e9:,.3g}" if seconds and flops else ""


def counts_words(counted: "UpdateCounts") -> str:
    """The counts of an update, in words."""
    plain = (
        f"{plural(counted.images, 'image')} at {plural(counted.ar_steps, 'AR step')} and "
        f"{plural(counted.diffusion_steps, 'diffusion step')}: {counted.selected_tokens:,} selected tokens, "
        f"{counted.head_evaluations:,} evaluations of the head"
    )
    by_formula = counted.flops_by_formula
    return plain + ("." if by_formula is None else f", {by_formula / 1e9:,.3g} GFLOP by formula.")


def comparison_words(compared: "DenseComparison") -> str:
    """The result of the comparison with the plain method, in words."""
    found = compared.as_dict()
    return (
        f"{found['speedup']:.2f} times faster, {found['memory_ratio']:.2f} of the memory; the loss differs by "
        f"{found['loss_relative_error']:.1e}, the gradient by {found['gradient_relative_error']:.1e} of its norm."
    )


def machine_words(made: "Bench") -> str:
    """The machine of a measurement, in words."""
    found = machine(made, None)["machine"]
    threads = f", {found['threads']} threads" if found["device"] == "cpu" else ""
    return f"{found['name']}{threads}, backbone in {found['precision']}."


def machine(made: "Bench", figures: "Figures | None") -> dict[str, Any]:
    """The machine of a measurement, for a JSON file."""
    import torch

    cuda = torch.device(made.pipeline.device).type == "cuda"
    found = {
        "device": made.pipeline.device,
        "name": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "precision": str(made.pipeline.dtype).removeprefix("torch."),
    }
    if figures is not None:
        found |= {"matmul_peak": figures.peaks.head, "matmul_peak_backbone": figures.peaks.backbone}
    return {"machine": found}
