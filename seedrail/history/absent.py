"""Columns that a move's rows set, and tables, that the database does not have: gone since, or not there yet.

A column is gone when a later seed revision froze its table without it, or when every schema revision is
applied and one of them, which no seed revision follows yet, may have dropped it. What is gone is left out.
Any other column may still come, and its values would be lost without a word: such a move is refused. So it is
with a table: it is gone when a later seed state does not have it, or by such a last schema revision.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from seedrail.errors import RailError, SetupError
from seedrail.history.history import downs, file_name
from seedrail.history.rail.line import Rail
from seedrail.schema.tables import FrozenTable


def refuse_columns_to_come(
    rail: Rail,
    span: tuple[str, str],
    frozen: Iterable[FrozenTable],
    live: Mapping[str, Iterable[str]],
    heads: Callable[[], Sequence[str]],
) -> None:
    """Raise RailError or SetupError where rows of a move set a column that is not there and not gone.

    `span` is the move's source and target, `frozen` its tables, `live` the columns of each live table, and
    `heads` tells the revisions that the database is at.
    """
    missing = [
        (table.name, column)
        for table in frozen
        if table.name in live
        for column in sorted(set(table.columns) - set(live[table.name]))
    ]
    if missing:
        _Absence(rail, *span).refuse(missing, heads())


def gone_tables(
    rail: Rail,
    span: tuple[str, str],
    missing: Sequence[str],
    heads: Callable[[], Sequence[str]],
) -> set[str]:
    """Those of a move's missing tables that the schema has dropped since: their rows are nobody's to move.

    `span` and `heads` are as above. What is missing for another reason is not among them.
    """
    absence = _Absence(rail, *span)
    return set(missing) if missing and absence.dropped_last(heads()) else set(filter(absence.left, missing))


def as_it_is_now(
    rail: Rail, span: tuple[str, str], frozen: Iterable[FrozenTable], heads: Callable[[], Sequence[str]]
) -> list[FrozenTable]:
    """A move's tables without the columns that left after it and are there again, as others of their name.

    `span` and `heads` are as above.
    """
    upper = max(span, key=rail.position)
    again = list(rail.reborn(upper))
    if not again:
        return list(frozen)
    history = rail.history
    applied = history.applied(heads())
    # They are there from the schema revisions on that the later seed revision follows.
    others = {
        (table, column)
        for table, column, revision in again
        if applied >= history.at_or_below([revision]) & rail.schema
    }
    return [table.lacking({column for name, column in others if name == table.name}) for table in frozen]


@dataclass(frozen=True)
class _Absence:
    """What a move's history says of missing columns."""

    rail: Rail
    source: str
    target: str

    def refuse(self, missing: Iterable[tuple[str, str]], heads: Sequence[str]) -> None:
        rail = self.rail
        pending = rail.schema - rail.history.applied(heads)
        dropped_last = self.dropped_last(heads)
        suspects = [one for one in missing if not dropped_last and not self._gone(*one)]
        for table, column in self._set(suspects):
            if pending:
                raise RailError(self._not_yet(table, column, pending))
            raise SetupError(
                f"the live table {table} has no column {column!r}, which its seeds set, although every schema"
                " revision is applied: it was dropped by hand, or a revision was only stamped; nothing was"
                " written\n  add the column as its schema revision did, or let a schema revision drop it"
            )

    def dropped_last(self, heads: Sequence[str]) -> bool:
        """Whether a schema revision may have dropped something that no seed revision follows yet."""
        pending = self.rail.schema - self.rail.history.applied(heads)
        return not pending and bool(self.rail.uncovered())

    def left(self, table: str) -> bool:
        """Whether a later seed state, or that of the move's upper end, no longer has a table."""
        having = {
            position
            for position, one in enumerate(self.rail.revisions, start=1)
            if table in self.rail.tables_at(one.revision)
        }
        return self._ends(having)

    def _gone(self, table: str, column: str) -> bool:
        """Whether the table was frozen without the column later on."""
        return self._ends(self._freezing(table, column))

    def _ends(self, having: Collection[int]) -> bool:
        """Whether the last of some revisions, up to the move's upper end, is followed by another one."""
        start = max((one for one in having if one <= self._upper), default=0)
        return any(later not in having for later in range(start + 1, len(self.rail.revisions) + 1))

    @property
    def _upper(self) -> int:
        return max(self.rail.index(self.source), self.rail.index(self.target))

    def _freezing(self, table: str, column: str) -> set[int]:
        """Which revisions of the rail, counted, froze a table with a column."""
        found = set()
        for position, one in enumerate(self.rail.revisions, start=1):
            frozen = self.rail.tables_at(one.revision).get(table)
            if frozen is not None and column in frozen.columns:
                found.add(position)
        return found

    def _set(self, suspects: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Those that some row of the move sets: an insert sets each column, an update says which."""
        for change in self.rail.net_changes(self.source, self.target) if suspects else ():
            for table, column in suspects:
                if table == change.table and (
                    change.effect == "insert" or (change.effect == "update" and column in (change.new or {}))
                ):
                    yield table, column

    def _not_yet(self, table: str, column: str, pending: set[str]) -> str:
        """The sentence for a column that a schema revision is still to make."""
        rail = self.rail
        frozen, first = self._freezing(table, column), self._upper
        while first - 1 in frozen:
            first -= 1
        revision, squash = rail.revisions[first - 1].revision, rail.history.squash
        script = squash.script if squash and revision in squash.every else rail.history.by_id[revision]
        heads = rail.history.heads_of(pending)
        if len(pending) == 1:
            way = f"in {file_name(script)}, set down_revision = {(*downs(script), *heads)!r}"
        else:
            makers = " or ".join(repr(one) for one in rail.history.by_id if one in pending)
            way = (
                f"in {file_name(script)}, add to down_revision the schema revision that makes the column:"
                f" {makers}"
            )
        return (
            f"seed revision {script.revision!r} sets {table}.{column}, which the database does not have yet:"
            f" no schema revision below it makes that column; nothing was written\n  {way}"
        )
