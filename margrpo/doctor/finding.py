"""Findings, and the checks that yield them."""

from collections.abc import Callable, Iterator
from typing import Literal

from margrpo.declare import record
from margrpo.errors import MargrpoError, RecipeError

Status = Literal["pass", "warn", "fail"]


@record
class Finding:
    """The finding of a check: its subject, its status, a sentence, and a remedy for trouble."""

    what: str
    status: Status
    said: str
    remedy: str = ""


@record
class Check:
    """A check of one subject; an error in it becomes a finding."""

    what: str
    look: Callable[[], Iterator[Finding]]

    def findings(self) -> Iterator[Finding]:
        """The findings of the check; an unforeseen error is a finding too."""
        try:
            yield from self.look()
        except RecipeError as error:
            for problem in error.problems:
                yield Finding(self.what, "fail", problem)
        except MargrpoError as error:
            yield Finding(self.what, "fail", str(error))
        except Exception as error:  # whatever is broken, the rest is looked at too
            gist = next(iter(str(error).splitlines()), "")
            yield Finding(
                self.what, "fail", f"{type(error).__name__}: {gist}", "this error was not foreseen; please report it"
            )


def worst(findings: list[Finding]) -> Status:
    """The worst status among `findings`."""
    statuses: tuple[Status, ...] = ("fail", "warn", "pass")
    return next((status for status in statuses if any(each.status == status for each in findings)), "pass")
