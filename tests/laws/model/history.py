"""What the repository knows: the seeded tables, and the seed's value of each cell at each position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXISTS = ""
"""The column that says whether a row is there; its values are ABSENT and PRESENT."""
ABSENT, PRESENT = "absent", "present"

Id = Any
Row = dict[str, Any]
Seeded = tuple[str, str]
"""A row of the seed, wherever it lives: its table and its seed id."""
State = Mapping[Seeded, Mapping[str, Any]]


@dataclass(frozen=True)
class Link:
    """A foreign key of one column.

    A required one cannot be empty. An optional one may name a row that is in no database, and nobody minds.
    """

    table: str
    required: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Table:
    """A seeded table; `extras` are columns that no seed sets, with their defaults."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    links: Mapping[str, Link] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_columns(self) -> tuple[str, ...]:
        """Those that a seed sets, and the others."""
        return (*self.columns, *self.extras)


@dataclass(frozen=True)
class History:
    """The seeded tables, parents first, and the seed's state at each position, where links are seed ids.

    `pointing` are foreign keys of tables that nobody seeds: table, column, and the table that they lead to.
    """

    tables: Mapping[str, Table]
    states: Sequence[State]
    pointing: Sequence[tuple[str, str, str]] = ()

    def holds(self, position: int, row: Seeded) -> bool:
        """Whether the seed has the row at a position."""
        return row in self.states[position]

    def cell(self, position: int, row: Seeded, column: str) -> Any:
        """The seed's value of a cell."""
        if column == EXISTS:
            return PRESENT if self.holds(position, row) else ABSENT
        return self.states[position].get(row, {}).get(column)

    def changed_at(self, low: int, high: int, row: Seeded, column: str) -> int:
        """The first position of a way up, from `low` to `high`, that changes the cell."""
        changes = (p for p in range(low + 1, high + 1) if self._changes(p, row, column))
        return next(changes, high)

    def given_at(self, position: int, row: Seeded, column: str) -> int:
        """The position since which the cell has the value that it has at `position`."""
        while position and not any(self._changes(position, row, name) for name in (EXISTS, column)):
            position -= 1
        return position

    def _changes(self, position: int, row: Seeded, column: str) -> bool:
        return bool(self.cell(position, row, column) != self.cell(position - 1, row, column))
