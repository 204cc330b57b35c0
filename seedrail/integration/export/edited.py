"""People's edits of seeded rows as a change of the documents; what no document can say is told instead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from seedrail.documents.edit.asked import Left, Wish
from seedrail.documents.edit.drafts import edited
from seedrail.documents.edit.pieces import EditedFile
from seedrail.documents.sets import SeedCatalog
from seedrail.errors import OptionError
from seedrail.history.changes import State
from seedrail.history.rail import Rail
from seedrail.integration.export.found import RowAsFound, rows_as_found
from seedrail.integration.export.keys import LiveKeys
from seedrail.integration.export.stored import canonical_of, refuse_other_form
from seedrail.integration.look.looking import looking
from seedrail.integration.run import SeedRun
from seedrail.merge.report.differing import ADOPTED, DELETED, EXTRA, KEPT, DifferentRow
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable


@dataclass(frozen=True)
class Told:
    """An edit by its table, the row's natural key and seed id, and the column, empty for the row itself.

    `reason` is why no document can say it; `said` are those that the document says already, and `settled`
    those of rows that are no edits, or none that anybody still has to settle.
    """

    table: str
    row: Any
    id: str
    column: str
    reason: str = ""
    said: bool = False
    settled: bool = False


@dataclass(frozen=True)
class Export:
    """The documents before and after, the edits that they then say, and all others that were found."""

    files: tuple[EditedFile, ...]
    made: tuple[Told, ...]
    left: tuple[Told, ...]


def edits_exporter(seed_set: str, found: list[Export], *, settled: bool = False) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that turns edits into changed documents, and writes none.

    Only those of one seed set, if it is named; OptionError where there is no such set. With `settled` also
    what a policy or a decision has settled, and what differs in rows that were there before the seed's.
    DocumentError where documents have faults, SeedError where the history does not fit the database.
    """
    return looking(lambda run, connection, _: _export(run, connection, seed_set, settled=settled), found)


def _export(run: SeedRun, connection: Connection, seed_set: str, *, settled: bool) -> Export:
    rail, catalog = run.rail, run.catalog
    tables = _tables(catalog, seed_set)
    rail.verify(rail.revisions)
    run.check_content()
    rows = [
        row
        for row in rows_as_found(connection, rail, quiet=run.options.quiet)
        if row.differs.table in tables or (not seed_set and row.differs.table not in catalog.tables)
    ]
    wishes, left = _Wishes(connection, rail, catalog).of(rows, set() if settled else {KEPT, ADOPTED})
    result = edited(catalog, rail.tables_at(rail.head), wishes)
    names = {(row.differs.table, row.differs.id): row.differs.row for row in rows}
    names = {**result.rows, **names}
    made = tuple(_told(names, *cell.row, cell.column) for cell in result.made)
    left += [_left(names, one) for one in result.left]
    return Export(result.files, made, tuple(sorted(left, key=lambda one: (one.settled, one.table))))


def _tables(catalog: SeedCatalog, seed_set: str) -> Mapping[str, FrozenTable]:
    sets = sorted(one.name for one in catalog.sets)
    if seed_set and seed_set not in sets:
        raise OptionError(f"no such seed set: {shown(seed_set)}; there are {', '.join(map(shown, sets))}")
    return {name: table for name, table in catalog.tables.items() if seed_set in ("", table.set)}


def _told(names: Mapping[tuple[str, str], Any], table: str, id_: str, column: str, reason: str = "") -> Told:
    return Told(table, names.get((table, id_)), id_, column, reason)


def _left(names: Mapping[tuple[str, str], Any], one: Left) -> Told:
    return Told(one.table, names.get((one.table, one.id)), one.id, one.column, one.reason, one.said)


_SETTLED = {
    KEPT: "a policy or a decision has settled it; --settled exports it",
    ADOPTED: "it is somebody's own row, which was there before the seed's; --settled exports it",
    EXTRA: "it is somebody's own row",
}


class _Wishes:
    """What people made of seeded rows, in the documents' terms."""

    def __init__(self, connection: Connection, rail: Rail, catalog: SeedCatalog) -> None:
        self.rail, self.catalog = rail, catalog
        self.keys = LiveKeys(connection, catalog.tables)
        self.dialect = self.keys.dialect
        self._states: dict[str, tuple[Mapping[str, FrozenTable], State]] = {}

    def of(self, rows: Sequence[RowAsFound], passed: set[str]) -> tuple[list[Wish], list[Told]]:
        """The edits and deletes, but of rows of some kinds, and what is passed over or cannot be read."""
        wishes: list[Wish] = []
        left: list[Told] = []
        for row in rows:
            one = row.differs
            if one.kind in passed | {EXTRA}:
                row_named = self._words(one) if one.kind == EXTRA else one.row
                left.append(Told(one.table, row_named, one.id, "", _SETTLED[one.kind], settled=True))
            elif one.kind == DELETED or not row.raw:
                wishes.append(Wish(one.table, one.id, None))
            elif values := dict(self._values(row, left)):
                wishes.append(Wish(one.table, one.id, values))
        return wishes, left

    def _words(self, one: DifferentRow) -> Any:
        """The natural key of somebody's own row, parents by theirs."""
        try:
            return self.keys.words(one.table, one.id) or one.row
        except ValueError:
            return one.row

    def _values(self, row: RowAsFound, left: list[Told]) -> Iterator[tuple[str, tuple[Any, Any]]]:
        """The columns that differ: what the seed left there, and what is there."""
        one = row.differs
        tables, seeded = self._state(row.revision)
        base = seeded[one.table][one.id]
        for cell in one.cells:
            raw = row.raw.get(cell.column)
            try:
                value = self._canonical(tables[one.table], seeded, cell.column, raw)
            except ValueError as error:
                left.append(Told(one.table, one.row, one.id, cell.column, str(error)))
                continue
            yield cell.column, (base.get(cell.column), value)

    def _canonical(self, frozen: FrozenTable, seeded: State, column: str, raw: Any) -> Any:
        """A live value in its canonical form, a link to a seeded row as its seed id."""
        type_ = frozen.columns[column].type
        value = canonical_of(type_, raw)
        refuse_other_form(self.dialect, type_, raw, value)
        link = frozen.foreign_keys.get(column)
        if link is None or value is None or link.table not in self.catalog.tables:
            return value
        if value in seeded.get(link.table, {}):
            return value
        # A row that was there before the seed's has an id of its own.
        return self.keys.seed_id(link.table, value) or value

    def _state(self, revision: str) -> tuple[Mapping[str, FrozenTable], State]:
        """The tables and the seeded rows at a revision."""
        if revision not in self._states:
            self._states[revision] = self.rail.tables_at(revision), self.rail.fold(revision)[0]
        return self._states[revision]
