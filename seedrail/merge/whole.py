"""Rows that are staged whole: what is decided of them may need more of them than what a move changes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from seedrail.errors import ChangeFileError
from seedrail.history.changes import Change
from seedrail.history.lines import RESTORE, UNREADABLE, Lone

Row = tuple[str, str]
"""A table and a seed id."""


@dataclass
class Whole:
    """Rows of a move that are staged whole: `rows`, if it changes them, and those with `dropped` claims."""

    rows: frozenset[Row] = frozenset()
    dropped: frozenset[Row] = frozenset()
    met: dict[Row, Change] = field(default_factory=dict)
    """What the move does to them, as `without` came by."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.rows)

    def without(self, changes: Iterable[Lone | Change]) -> Iterator[Lone | Change]:
        """The changes of all other rows."""
        if not self.rows:
            yield from changes
            return
        for one in changes:
            if isinstance(one, Change):
                if (one.table, one.id) in self.rows:
                    self.met[one.table, one.id] = one
                else:
                    yield one
                continue
            mine = one.only(self.rows)
            for id_, row in mine.rows:
                self.met[one.table, id_] = change_of_lone(one, id_, bytes(row))
            rest = (
                [row for row in one.rows if (one.table, row[0]) not in self.rows] if mine.rows else one.rows
            )
            if rest:
                yield one._replace(rows=rest)


def change_of_lone(lone: Lone, id_: str, row: bytes) -> Change:
    """One of the rows as a change; ChangeFileError where it is none."""
    try:
        values = json.loads(row)
    except (*UNREADABLE, ValueError):
        raise ChangeFileError(
            lone.revision, f"{lone.table} {id_} is not a row of its table", RESTORE
        ) from None
    inserts = lone.effect == "insert"
    return Change(lone.table, id_, None if inserts else values, values if inserts else None, lone.revision)
