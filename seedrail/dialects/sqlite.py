"""SQLite: text for UUIDs and timestamps, one writer at a time, foreign keys in a pragma."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects.base import Found, Load, QualifiedName, SeedDialect, dotted
from seedrail.dialects.sqlite_catalog import (
    CANDIDATES,
    COLUMNS,
    FOREIGN_KEYS,
    INTERFERED,
    KEY_COLUMNS,
    UNIQUES,
)
from seedrail.errors import LockTimeout, SeedError
from seedrail.failures import LOCKED, READ_ONLY, failure_of
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import Reference
from seedrail.schema.types import ColumnType, parse_timestamp
from seedrail.schema.uniques import Unique

_CONTROL = re.compile("[\x00-\x1f\x7f]")

_NAME = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<word>[^\W\d]\w*)')
_VALUES = {"null", "true", "false", "current_date", "current_time", "current_timestamp"}
"""The words that are values, and no names."""


class SQLiteDialect(SeedDialect):
    """SQLite 3.35 or newer.

    All rows are staged: INSERT … SELECT writes them to a live table faster than an INSERT for each would.
    """

    name = "sqlite"
    no_rows = "WHERE 0"
    permanent = "main"
    preamble = (
        "Run this with `sqlite3 -bail FILE < script.sql`: without -bail the sqlite3 client goes on"
        " after a failed check.",
    )

    before = ("PRAGMA foreign_keys = OFF",)
    """As a migrating connection has it: where a table is rebuilt, dropping the old copy would cascade."""

    # Settings of the connection, which a transaction cannot give back: each is SQLite's own default. Guards
    # are check constraints, and the first of some rows must not depend on how they are walked.
    session = ("PRAGMA ignore_check_constraints = OFF", "PRAGMA reverse_unordered_selects = OFF")

    def literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, int | float):
            return repr(value)
        if _CONTROL.search(value):
            # The sqlite3 client reads line by line and drops carriage returns inside literals.
            return f"CAST(X'{value.encode().hex()}' AS TEXT)"
        quoted = str(value).replace("'", "''")
        return f"'{quoted}'"

    def literal_of(self, type_: ColumnType) -> Callable[[Any], str]:
        stored = _STORED.get(type_.kind)
        if stored is None:
            return self.literal
        return lambda value: "NULL" if value is None else self.literal(stored(value))

    def load(
        self, connection: Connection, table: sa.Table, columns: Sequence[tuple[str, ColumnType]]
    ) -> Load:
        return _Inserts(connection, table.name, columns)

    def lock(self, connection: Connection, seconds: float) -> None:
        """SQLite's own write lock: a migrating engine begins with it, a lent connection may not have."""
        # The driver's own, for SQLAlchemy's around an asynchronous one does not tell.
        if getattr(connection.connection.driver_connection, "in_transaction", True):
            return
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            failure = failure_of(error)
            if failure is not None and failure.kind is READ_ONLY:
                # Nobody writes by this connection; a command that only looks may go on.
                return
            if failure is None or failure.kind is not LOCKED:
                raise
            raise LockTimeout(seconds) from None

    def find(self, connection: Connection, tables: Sequence[str]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for row in connection.execute(CANDIDATES, {"tables": list(tables)}):
            problem = "a temporary table of this session" if row.temporary else f"a {row.kind}"
            one = Found(problem="" if row.fine else problem, hidden=bool(row.temporary))
            found.setdefault(row.name, one)
        return found

    def count_lost(self, tables: Sequence[str]) -> sa.Select[Any]:
        found = (
            CANDIDATES.bindparams(tables=sorted(tables))
            .columns(sa.column("name", sa.Text()), sa.column("fine", sa.Integer()))
            .subquery()
        )
        fine = sa.select(found.c.name).group_by(found.c.name).having(sa.func.min(found.c.fine) == 1)
        count = sa.select(sa.func.count()).select_from(fine.subquery())
        return sa.select(len(tables) - count.scalar_subquery())

    def lock_tables(self, tables: Sequence[str]) -> Iterable[sa.Executable]:
        """A write that writes nothing: what began without the write lock has it before it reads."""
        yield sa.text("UPDATE main.seed_state SET status = status WHERE 0")

    def prepare(self, tables: Sequence[sa.Table]) -> Iterable[sa.Executable]:
        for table in tables:
            yield from self.index(table, ["seed_id"])

    def index(self, table: sa.Table, columns: Sequence[str]) -> Iterable[sa.Executable]:
        names = ", ".join(columns)
        yield sa.text(f'CREATE INDEX temp."ix_{table.name}" ON "{table.name}" ({names})')

    def references(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Reference]]:
        found: dict[str, dict[tuple[str, int], list[tuple[str, str]]]] = {}
        for name in tables:
            found[name] = {}
        identities: dict[str, tuple[str, ...]] = {}
        for row in connection.execute(FOREIGN_KEYS, {"tables": list(tables)}):
            if row.target_column is None:
                # It names a column that is not there, so that no row can point by it.
                continue
            found[row.target].setdefault((row.child, row.id), []).append(
                (row.child_column, row.target_column)
            )
            identities[row.child] = tuple(json.loads(row.identity))
        return {
            name: [
                Reference(
                    child,
                    tuple(c for c, _ in pairs),
                    tuple(t for _, t in pairs),
                    identity=identities[child],
                )
                for (child, _), pairs in sorted(children.items())
            ]
            for name, children in found.items()
        }

    def count_unknown_references(
        self, known: Mapping[str, Sequence[Reference]], columns: Mapping[str, Collection[str]]
    ) -> sa.Select[Any]:
        listed = sorted(
            f"{target} {ref.table} {column}"
            for target, references in known.items()
            for ref in references
            for column in ref.columns
        )
        keys = (
            FOREIGN_KEYS.bindparams(tables=sorted(known))
            .columns(
                *(sa.column(name, sa.Text()) for name in KEY_COLUMNS), sa.column("derived", sa.Boolean())
            )
            .subquery()
        )
        name = keys.c.target + " " + keys.c.child + " " + keys.c.child_column
        matters = [
            sa.or_(keys.c.target != table, keys.c.target_column.in_(sorted(changing)), keys.c.derived)
            for table, changing in sorted(columns.items())
        ]
        return sa.select(sa.func.count()).select_from(keys).where(name.not_in(listed), *matters)

    def unknown_columns(self, known: Mapping[str, Collection[str]]) -> sa.Select[Any]:
        listed = [f"{table}.{column}".lower() for table in known for column in known[table]]
        names = (sa.column(name, sa.Text()) for name in ("table_name", "column_name"))
        found = COLUMNS.bindparams(tables=sorted(known)).columns(*names).subquery()
        name = sa.func.lower(found.c.table_name + "." + found.c.column_name)
        return sa.select(found).where(name.not_in(sorted(listed))).order_by(*found.c)

    def interfered(self, tables: Sequence[QualifiedName], *, before: bool = False) -> sa.Select[Any]:
        # Whether a trigger comes before its row is in its text alone: each counts.
        lowered = [name.lower() for name in dotted(tables)]
        found = INTERFERED.bindparams(tables=lowered).columns(sa.column("name", sa.Text())).subquery()
        return sa.select(found.c.name).order_by(found.c.name)

    def same(self, one: ColumnElement[Any], other: Any) -> ColumnElement[bool]:
        # SQLAlchemy renders is_not_distinct_from() as IS too, but drops literal_binds on the way.
        return one.bool_op("IS")(other)

    def letters(self, value: Any) -> ColumnElement[Any]:
        return sa.collate(sa.type_coerce(value, sa.Text()), "BINARY")

    def default(self, told: str | None) -> str | None:
        """Where a name stands for a default, it is a text: a query would look for a column."""
        name = _NAME.fullmatch(told or "")
        if name is None or (name["word"] or "").lower() in _VALUES:
            return told
        return self.literal(name["word"] or name["quoted"].replace('""', '"'))

    @contextmanager
    def readable(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        usual = driver.text_factory
        driver.text_factory = _spelled_out
        try:
            yield
        finally:
            driver.text_factory = usual

    def raw(self, value: Any) -> ColumnElement[Any]:
        return sa.type_coerce(value, sa.types.NullType())

    def stores(self, type_: ColumnType, value: Any) -> Any:
        if type_.kind == "json":
            return canonical_json(value)
        return _STORED.get(type_.kind, _as_it_is)(value)

    def listed(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # The client ends a line and moves the cursor where a value says so.
        shown: ColumnElement[Any] = column
        if isinstance(column.type, sa.Text):
            for code, escape in _CURSORS:
                shown = sa.func.replace(shown, sa.func.char(code), escape)
        return shown.label(getattr(column, "name", None))

    def to_ledger(self, value: Any) -> ColumnElement[Any]:
        return sa.type_coerce(value, sa.LargeBinary())

    def from_ledger(self, value: Any, column: sa.Column[Any]) -> ColumnElement[Any]:
        return sa.type_coerce(value, column.type)

    def days_beyond(self, kind: str, low: Any, high: Any, days: Any) -> ColumnElement[Any]:
        form = "%Y-%m-%d" if kind == "date" else "%Y-%m-%d %H:%M:%S.000000"

        def moved(edge: Any, sign: str) -> ColumnElement[Any]:
            return sa.func.strftime(form, edge, sa.literal(sign) + sa.cast(days, sa.Text()) + " days")

        return sa.case((sa.type_coerce(high, sa.Text()) < "9990", moved(high, "+")), else_=moved(low, "-"))

    def files(self, connection: Connection) -> list[Path]:
        named = [row.file for row in connection.execute(sa.text("PRAGMA database_list")) if row.file]
        return [Path(file + end) for file in named for end in ("", "-journal", "-wal", "-shm")]

    def uniques(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Unique]]:
        found: dict[str, list[Unique]] = {name: [] for name in tables}
        for row in connection.execute(UNIQUES, {"tables": list(tables)}):
            columns = json.loads(row.columns)
            exact = None not in columns and not row.partial
            if None in columns:
                # What an expression reads is not listed: it is what the index's text names.
                words = set(re.findall(r"\w+", row.sql or ""))
                columns = [name for name in json.loads(row.all_columns) if name in words]
            found[row.name].append(Unique(tuple(columns), exact))
        return found


_CURSORS = ((8, "\\b"), (9, "\\t"), (10, "\\n"), (13, "\\r"), (27, "\\x1b"), (0x9B, "\\x9b"))
"""Characters that end a line or move a cursor, as a script's report has them."""


def _spelled_out(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


class _Inserts:
    """One prepared INSERT for all rows, in which the database turns canonical values into stored ones."""

    def __init__(self, connection: Connection, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        self._cursor = connection.connection.cursor()
        names = ", ".join(f'"{name}"' for name, _ in columns)
        marks = ", ".join(
            _BOUND.get(type_.kind, "?{0}").format(number)
            for number, (_, type_) in enumerate(columns, start=1)
        )
        # Names are the engine's own; every value is bound.
        self._statement = f'INSERT INTO "{table}" ({names}) VALUES ({marks})'  # noqa: S608
        self._decimals = [n for n, (_, type_) in enumerate(columns) if type_.kind == "decimal"]
        self._arrived = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for number in self._decimals:
            for row in rows:
                if row[number] is not None:
                    _decimal(row[number])
        self._cursor.executemany(self._statement, rows)
        self._arrived += self._cursor.rowcount

    def finish(self) -> int:
        self._cursor.close()
        return self._arrived

    def abandon(self, error: BaseException) -> None:
        self._cursor.close()


def _as_it_is(value: Any) -> Any:
    return value


def _timestamp(text: str) -> str:
    return parse_timestamp(text).replace(tzinfo=None).isoformat(" ", "microseconds")


def _decimal(text: str | float) -> float:
    """The number that is stored for a decimal; SeedError where it would be another one."""
    # Lines from before a column's type changed may hold a number.
    text = str(text)
    number = float(text)
    # Fifteen digits always fit; of more, some do.
    if len(text) > 15 and Decimal(repr(number)) != Decimal(text):
        raise SeedError(
            f"SQLite would store the decimal {text} as {number!r}; nothing was written\n"
            "  it keeps decimals as numbers of 15 to 17 digits: give the seed fewer digits, or the column a"
            " type of text"
        )
    return number


_STORED: dict[str, Callable[[Any], Any]] = {
    "uuid": lambda text: UUID(text).hex,
    "timestamp": _timestamp,
    "boolean": int,
    "decimal": _decimal,
}
"""From canonical values to those in the database."""

_BOUND = {
    "uuid": "replace(?{0}, '-', '')",
    "timestamp": "replace(substr(?{0}, 1, 19), 'T', ' ')"
    " || CASE WHEN length(?{0}) = 20 THEN '.000000' ELSE substr(?{0}, 20, 7) END",
    "decimal": "CAST(?{0} AS REAL)",
}
"""The same for a parameter of that number."""
