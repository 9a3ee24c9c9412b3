"""Every command of `margrpo`."""

from typing import Annotated

import typer

from margrpo import __version__
from margrpo.cli.adopt import PlainGroup, adopt
from margrpo.cli.commands import (
    bench,
    components,
    doctor,
    evaluate,
    plan,
    plugins,
    pretrain,
    recipes,
    report,
    rewards,
    sample,
    train,
    variance,
    weights,
)
from margrpo.cli.exits import exit_without_finalising
from margrpo.cli.plugin_commands import add_commands
from margrpo.cli.terminal import out
from margrpo.cli.threads import wait_passively
from margrpo.plugin.registry import registry

app = typer.Typer(
    cls=PlainGroup,
    help="GRPO for masked autoregressive image generators with diffusion heads.",
    epilog="Start with: margrpo train recipes/quickstart.toml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(wanted: bool) -> bool:
    """Print the version and end, if `wanted`."""
    if wanted:
        out().print(f"margrpo {__version__}", highlight=False)
        raise typer.Exit
    return wanted


@app.callback()
def margrpo(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """GRPO for masked autoregressive image generators with diffusion heads."""


app.command("train")(train.train)
app.command("resume")(train.resume)
app.command("pretrain")(pretrain.pretrain)
app.command("sample")(sample.sample)
app.command("plan")(plan.plan)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("variance")(variance.variance)
app.command("doctor")(doctor.doctor)
app.add_typer(bench.app, name="bench")
app.add_typer(recipes.app, name="recipes")
app.add_typer(components.app, name="components")
app.add_typer(plugins.app, name="plugins")
app.add_typer(rewards.app, name="rewards")
app.add_typer(weights.app, name="weights")
adopt(app)


def main() -> None:
    """Run the command line; every error ends in a sentence on standard error and an exit code."""
    wait_passively()
    add_commands(app, registry())
    exit_without_finalising(lambda: app(prog_name="margrpo"))
