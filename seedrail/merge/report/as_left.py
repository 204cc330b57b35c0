"""Whether live rows are what the seed left, without the database's help: both are read side by side.

Live rows come in the order in which they were written, mostly that of the change files, so that whole
blocks are equal. What is out of order waits for the other side. Rows that are not equal here may still be as
the seed left them: that is for the move's own comparison to tell.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from msgspec import Raw
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from seedrail.dialects import dialect_named
from seedrail.dialects.plain import Asked, Side, side_of
from seedrail.history.changes import Change
from seedrail.history.lines import UNREADABLE, Lone
from seedrail.merge.database.loads import wrapped
from seedrail.merge.stage import StagedTable
from seedrail.schema.identity import canonical_object
from seedrail.schema.tables import FrozenTable

HELD = 50_000
"""How many rows of a side may wait for the other: more than people touch, and fewer than a large seed has."""

Row = tuple[Any, ...]


@dataclass
class AsLeft:
    """A table's seeded rows, and how many of them are as the seed left them.

    `others` are live rows that the seed has not got. `told` is unset where the order of the live rows was too
    different for an answer.
    """

    table: str
    rows: int = 0
    same: int = 0
    others: int = 0
    told: bool = True

    @property
    def differ(self) -> int:
        """How many rows are gone, or not as the seed left them."""
        return self.rows - self.same


class SideBySide:
    """Compares seeded rows with live ones, table by table; a context manager, which ends the last table."""

    def __init__(
        self,
        connection: Connection,
        side: type[Side],
        tables: Sequence[StagedTable],
        live: Mapping[str, Mapping[str, TypeEngine[Any]]],
        arrived: Callable[[int], None],
    ) -> None:
        self.connection, self.side, self.live, self.arrived = connection, side, live, arrived
        self.tables = {table.name: table for table in tables}
        self.found: list[AsLeft] = []
        self._table: _Table | None = None

    def __enter__(self) -> "SideBySide":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._end()
        elif self._table is not None:
            self._table.stream.close()

    def add(self, entry: Lone | Change) -> None:
        """Compare rows that the seed has; those of other tables pass by."""
        staged = self.tables.get(entry.table)
        if staged is None:
            return
        if self._table is None or self._table.told.table != entry.table:
            self._end()
            self._table = self._begin(staged)
        rows = (
            entry.rows
            if isinstance(entry, Lone)
            else [(entry.id, canonical_object(entry.old or {}, nulls=False))]
        )
        with wrapped(self.connection):
            self._table.compare(rows)
        self.arrived(len(rows))

    def _end(self) -> None:
        if self._table is not None:
            with wrapped(self.connection):
                self._table.end()
            self.found.append(self._table.told)
            self._table = None

    def _begin(self, table: StagedTable) -> "_Table":
        # What no seed sets is read as one answer, by the question that a rollback asks.
        holds = dialect_named(self.connection.dialect.name).holds
        untouched = [holds(table.live.c[name], default) for name, default in table.unseeded.items()]
        types = self.live.get(table.name, {})
        side = self.side(
            Asked(
                table.live_id,
                {name: table.live.c[name] for name in table.columns},
                {name: table.frozen.columns[name].type for name in table.columns},
                {name: types.get(name, sa.types.NULLTYPE) for name in table.columns},
                sa.and_(*untouched) if untouched else None,
            )
        )
        return _Table(AsLeft(table.name), side, side.stream(self.connection))


@dataclass
class _Table:
    """The two sides of one table, and what of each waits for the other, by primary key."""

    told: AsLeft
    side: Side
    stream: Any
    waiting: dict[Any, Row] = field(default_factory=dict)
    early: dict[Any, Row] = field(default_factory=dict)

    def compare(self, rows: Sequence[tuple[str, Raw]]) -> None:
        self.told.rows += len(rows)
        if not self.told.told:
            return
        seeded, live = self.side.seeded(rows), list(islice(self.stream, len(rows)))
        if seeded == live:
            self.told.same += len(rows)
            return
        for row in seeded:
            other = self.early.pop(row[0], None)
            if other is None:
                self.waiting[row[0]] = row
            else:
                self.told.same += self._equal(row, other)
        for row in live:
            if not self._meet(row):
                self.early[row[0]] = row
        self._hold()

    def end(self) -> None:
        """Every seeded row has come: what else is live is somebody's."""
        if not self.told.told:
            # A stream that is left in the middle would end its transaction.
            deque(self.stream, maxlen=0)
            return
        for row in self.stream:
            self.told.others += not self._meet(row)
        self.told.others += len(self.early)

    def _meet(self, live: Row) -> bool:
        """Whether the seeded row of a live one was waiting for it."""
        row = self.waiting.pop(live[0], None)
        if row is not None:
            self.told.same += self._equal(row, live)
        return row is not None

    def _equal(self, seeded: Row, live: Row) -> bool:
        return seeded == live or self.side.again(seeded) == live

    def _hold(self) -> None:
        if len(self.early) > HELD:
            # No seed has made rows with another kind of id: what is early and somebody's need not wait.
            kept = {id_: row for id_, row in self.early.items() if is_seed_id(id_)}
            self.told.others += len(self.early) - len(kept)
            self.early = kept
        if max(len(self.early), len(self.waiting)) > HELD:
            self.told.told = False
            self.early.clear()
            self.waiting.clear()


def is_seed_id(id_: Any) -> bool:
    """Whether an id is a UUID of version 5, however it is written: that of every row that a seed makes."""
    return str(id_).replace("-", "")[12:13] == "5"


def side_by_side(
    connection: Connection,
    tables: Sequence[StagedTable],
    live: Mapping[str, Mapping[str, TypeEngine[Any]]],
    seeded: Iterable[Lone | Change],
    arrived: Callable[[int], None],
) -> list[AsLeft] | None:
    """What a look at the rows alone says of each table with seeded rows; None where it cannot be had.

    `live` are the types of the live columns by table, `arrived` is told how many rows each batch had.
    """
    side = side_of(connection)
    if side is None:
        return None
    savepoint = connection.begin_nested()
    try:
        with SideBySide(connection, side, tables, live, arrived) as both:
            for entry in seeded:
                both.add(entry)
    except (DBAPIError, *UNREADABLE):
        # A text that is none, no right to read, a line that is no row: the program has words for it.
        savepoint.rollback()
        return None
    savepoint.commit()
    return both.found


def has_others(connection: Connection, table: FrozenTable) -> bool:
    """Whether some row of a table has another kind of id than a seed gives; a look that costs little."""
    side = side_of(connection)
    if side is None:
        return False
    id_ = sa.column(table.id, sa.Uuid())
    theirs = sa.cast(id_, sa.Text()).not_like(side.seed_ids)
    found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(sa.table(table.name, id_))
    return connection.execute(found.where(theirs).limit(1)).first() is not None
