"""`margrpo geneval prompts`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from margrpo import MargrpoError


def add(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="Prompts for GenEval's rules.", no_args_is_help=True)
    group.command("prompts")(write_prompts)
    group.callback()(lambda: None)
    app.add_typer(group, name="geneval")


def write_prompts(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The JSON Lines file to write.")],
    count: Annotated[int, typer.Option(metavar="N", min=1, help="The number of prompts.")] = 500,
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of the prompts.")] = 0,
    classes: Annotated[
        str, typer.Option(metavar="A,B,…", help="Names of classes. Default: a choice of COCO's.", show_default=False)
    ] = "",
) -> None:
    """Write distinct prompts of GenEval's six kinds in turn, with their metadata, for `[prompts] use = "jsonl"`.

    Example: margrpo geneval prompts --out prompts.jsonl
    """
    from margrpo_geneval.prompt_list import CLASSES, prompts

    names = [*dict.fromkeys(name.strip() for name in classes.split(",") if name.strip())] or list(CLASSES)
    lines = [json.dumps(each, ensure_ascii=False) for each in prompts(count, seed, names)]
    try:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise MargrpoError(f"--out {out}: cannot be written ({error.strerror})") from None
    typer.echo(f"{len(lines)} prompts written to {out}")
