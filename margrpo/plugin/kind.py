"""What a kind of component is."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Kind:
    """One kind of component: its name is the recipe table, the folder and the first half of every entry id.

    `default` is the table, or for `many` the array of tables, that stands where a recipe has none; None where there is
    no default. It is of tables at the top of a recipe only: a nested one always names its component, and the kinds
    that plugins bring are always nested.
    """

    name: str
    protocol: type
    meaning: str
    default: Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None = None
    many: bool = False

    @property
    def default_use(self) -> str | None:
        """The `use` of a table at the top that names none, or None where it must."""
        return self.default["use"] if isinstance(self.default, Mapping) else None
