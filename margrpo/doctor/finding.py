"""What an examination found, and how examinations are held."""

from collections.abc import Callable, Iterator
from typing import Literal

from margrpo.declare import record
from margrpo.errors import MargrpoError, RecipeError

Status = Literal["pass", "warn", "fail"]


@record
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not well."""

    what: str
    status: Status
    said: str
    remedy: str = ""


@record
class Check:
    """Something to look at; what it raises is a finding."""

    what: str
    look: Callable[[], Iterator[Finding]]

    def findings(self) -> Iterator[Finding]:
        """What is found, whatever happens."""
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
                self.what, "fail", f"{type(error).__name__}: {gist}", "this was not foreseen; please report it"
            )


def worst(findings: list[Finding]) -> Status:
    """The worst status."""
    statuses: tuple[Status, ...] = ("fail", "warn", "pass")
    return next((status for status in statuses if any(each.status == status for each in findings)), "pass")
