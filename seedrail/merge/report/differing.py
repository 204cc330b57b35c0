"""What differs from the seed, as values: by row and column, or counted by kind."""

from dataclasses import dataclass
from typing import Any

EXTRA = "extra"
"""The kind of somebody's row in a seeded table that belongs to a seeded row."""
EDITED, DELETED, KEPT, ADOPTED = "edited", "deleted", "kept", "adopted"
"""Kinds of rows that differ: changed or gone since the seed wrote them; changed or gone before, and kept so
under a policy; and rows of somebody else's that the seed adopted."""


@dataclass(frozen=True)
class Cell:
    """A column that differs: what the seed left, and what is there, as the database writes it."""

    column: str
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class DifferentRow:
    """One row that differs, and in which of its columns; `kind` is that of a Difference, or EXTRA."""

    kind: str
    table: str
    id: str
    row: Any
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Rows of one table that differ from the seed in one way.

    `kind` is `edited`, `deleted`, `kept` (as the policy of an earlier run asked) or `adopted` (somebody's row
    that was there before the seed's). `rows` are the names of the first, ready to be shown.
    """

    kind: str
    table: str
    count: int
    rows: tuple[str, ...] = ()
