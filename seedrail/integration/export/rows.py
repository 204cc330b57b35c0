"""Rows of a live table as a document has rows: for who has them in a database already, and in no document."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from seedrail.documents.edit.elements import Reader, Values
from seedrail.errors import OptionError
from seedrail.integration.export.live import Condition, LiveRow, LiveRows
from seedrail.integration.export.spelling import Inside, Speller
from seedrail.integration.look.looking import looking
from seedrail.integration.run import SeedRun
from seedrail.quoting import shown
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable


@dataclass(frozen=True)
class TableRows:
    """A table's rows as objects, in the order of their natural keys, and what the set's schema makes of them.

    `inside` are the tables whose rows stand inside of theirs, `apart` those that belong to them and have no
    place there. `element` says that a row is an element of the set's document; `unread` are the rows, by
    natural key, of which the document would make something else, each with the reason.
    """

    table: str
    seed_set: str
    rows: tuple[dict[str, Any], ...]
    inside: tuple[str, ...]
    apart: tuple[str, ...]
    element: bool
    unread: tuple[tuple[Mapping[str, Any], str], ...]


def rows_exporter(table: str, where: Sequence[str], found: list[TableRows]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that reads a table's rows.

    `where` are `COLUMN=VALUE`. OptionError for a table or a column that is not seeded, SeedError for rows
    that no document can hold.
    """
    return looking(lambda run, connection, _: _rows(run, connection, table, where), found)


def _rows(run: SeedRun, connection: Connection, name: str, where: Sequence[str]) -> TableRows:
    tables = run.catalog.tables
    if name not in tables:
        known = ", ".join(map(shown, sorted(tables))) or "none yet"
        raise OptionError(
            f"{shown(name)} is in no seed set; those are {known}\n"
            "  a seed set that declares the table (SeedTable) says what its natural key is"
        )
    frozen = tables[name]
    conditions = [_condition(frozen, one) for one in where]
    live = LiveRows(connection, tables)
    table = _Table(frozen, live, Speller(run.catalog, live.keys))
    rows = live.rows(frozen, conditions)
    objects = [table.spelled(row) for row in rows]
    seed_set = next(one for one in run.catalog.sets if one.name == frozen.set)
    reader = Reader(seed_set, tables, tables, frozen.set)
    element = table.speller.is_element(frozen)
    unread = tuple(table.unread(reader, rows, objects)) if element else ()
    inside, apart = table.others()
    return TableRows(name, frozen.set, tuple(objects), inside, apart, element, unread)


def _condition(frozen: FrozenTable, where: str) -> Condition:
    column, equals, value = where.partition("=")
    if not (equals and column):
        raise OptionError(f"--where must be COLUMN=VALUE, not {shown(where)}")
    if column not in frozen.columns:
        raise OptionError(
            f"{shown(frozen.name)} has no seeded column {shown(column)};"
            f" those are {', '.join(map(shown, frozen.columns))}"
        )
    return column, value


class _Table:
    """A table whose rows hold those of others, as far as its schema has a place for them."""

    def __init__(self, frozen: FrozenTable, live: LiveRows, speller: Speller) -> None:
        self.frozen, self.live, self.speller = frozen, live, speller
        self.below: dict[str, dict[str, list[LiveRow]]] = {}
        """The rows of tables that stand inside of others, by table and the live id of the row around."""

    def spelled(self, row: LiveRow) -> dict[str, Any]:
        """A row with the rows inside of it."""
        found = self.speller.spelled(row.table, row.values)
        for inside in self.speller.inside(row.table):
            children = [self.spelled(child) for child in self._below(inside).get(row.id, ())]
            for child in children:
                # It stands inside of what the link leads to.
                child.pop(inside.link_key, None)
            if children:
                found[inside.key] = children
        return found

    def _below(self, inside: Inside) -> dict[str, list[LiveRow]]:
        name = inside.table.name
        if name not in self.below:
            by_parent: dict[str, list[LiveRow]] = defaultdict(list)
            for row in self.live.rows(inside.table):
                by_parent[row.values[inside.link]].append(row)
            self.below[name] = by_parent
        return self.below[name]

    def others(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tables whose rows stand inside, and those whose key leads here and that have no place there."""
        inside = {one.table.name for one in self._inside(self.frozen)}
        around = {self.frozen.name, *inside}
        keyed = {
            one.name
            for one in self.live.tables.values()
            if one.set == self.frozen.set
            if any(one.foreign_keys[name].table in around for name in one.key if name in one.foreign_keys)
        }
        return tuple(sorted(inside)), tuple(sorted(keyed - around))

    def _inside(self, frozen: FrozenTable) -> Iterator[Inside]:
        for one in self.speller.inside(frozen):
            yield one
            yield from self._inside(one.table)

    def unread(
        self, reader: Reader, rows: Sequence[LiveRow], objects: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The rows of which the set would make something else, if they were elements of its document."""
        for row, one in zip(rows, objects, strict=True):
            found = reader.rows(canonical_json(one))
            wanted = dict(self._seeded(row))
            reason = found if isinstance(found, str) else _other(reader.values(found), wanted)
            if reason:
                yield self.live.words(row), reason

    def _seeded(self, row: LiveRow) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
        yield self.live.seeded(row)
        for inside in self.speller.inside(row.table):
            for child in self._below(inside).get(row.id, ()):
                yield from self._seeded(child)


def _other(read: Values, wanted: Values) -> str:
    """What tells the rows that were read from those that are there; empty where they are the same."""
    for table, _ in wanted.keys() ^ read.keys():
        return f"it becomes other rows of {shown(table)}"
    for key, row in wanted.items():
        for name, value in row.items():
            if canonical_json(read[key].get(name)) != canonical_json(value):
                return f"another value of {shown(name)} in {shown(key[0])}"
    return ""
