"""The results of the conformance kit, for the terminal."""

import sys
from collections.abc import Sequence
from itertools import groupby

import attrs
from rich.text import Text

from margrpo.cli.exits import REFUSED
from margrpo.cli.terminal import err, out
from margrpo.plugin.loading import described
from margrpo.testing.conformance import BreachError, NotApplicable, Promise, cases
from margrpo.testing.conformance.subject import NoInstanceError


@attrs.frozen
class ConformanceLine:
    """The result of one check: kept, broken, or left out with the reason."""

    case: Promise
    how: str
    why: str = ""


def report(plugin: str) -> None:
    """Check every component of a plugin, print the results, and exit with 2 where a promise is broken."""
    every = list(cases(plugin))
    if not every:
        out().print("the plugin has no components, so there is nothing to check")
    sound = True
    for _, group in groupby(every, key=lambda case: case.entry.id):
        with err().status("checking"):
            findings = [checked(case) for case in group]
        report_component(findings)
        sound &= all(each.how != "broken" for each in findings)
    sys.exit(0 if sound else REFUSED)


def checked(case: Promise) -> ConformanceLine:
    """Run one check."""
    try:
        case()
    except NoInstanceError as reason:
        return ConformanceLine(case, "left out", str(reason))
    except NotApplicable as reason:
        return ConformanceLine(case, "left out", str(reason))
    except BreachError as breach:
        return ConformanceLine(case, "broken", str(breach))
    except Exception as error:
        return ConformanceLine(case, "broken", described(error))
    return ConformanceLine(case, "kept")


def report_component(findings: Sequence[ConformanceLine]) -> None:
    """Print how many promises a component keeps, and each promise that it breaks."""
    count = {how: sum(each.how == how for each in findings) for how in ("kept", "broken", "left out")}
    word, style = (
        ("fail", "bold red") if count["broken"] else ("ok", "bold green") if count["kept"] else ("?", "yellow")
    )
    said = ", ".join(f"{number} {how}" for how, number in count.items() if number)
    out().print(Text.assemble((f"{word:<5}", style), (findings[0].case.entry.id, "bold"), f"  {said}"), soft_wrap=True)
    for each in findings:
        if each.how == "broken":
            out().print(f"        {each.case.check.__name__}: {each.why}", markup=False, soft_wrap=True)
    for why in dict.fromkeys(each.why for each in findings if each.how == "left out"):
        out().print(Text(f"        left out: {why}", "dim"), soft_wrap=True)
