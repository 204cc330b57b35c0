"""PostgreSQL: COPY into staging tables, an advisory lock, the catalog's foreign keys."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, DOMAIN, JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine, UserDefinedType

from seedrail.dialects.base import Found, Holder, Load, QualifiedName, SeedDialect, dotted, identifier
from seedrail.dialects.pg_catalog import (
    CANDIDATES,
    COLUMNS,
    FOREIGN_KEYS,
    HOLDERS,
    HOME,
    INHERITED,
    INTERFERED,
    INTERFERED_BEFORE,
    RIGHTS,
    SECURED,
    TYPES,
    UNIQUES,
)
from seedrail.dialects.postgresql_session import (
    CANNOT_PIN,
    FIRE_TRIGGERS,
    ORIGIN,
    READ_COMMITTED,
    SETTINGS,
)
from seedrail.errors import LockTimeout
from seedrail.quoting import quoted
from seedrail.schema.tables import Reference
from seedrail.schema.types import ColumnType
from seedrail.schema.uniques import Unique

ADVISORY_LOCK = 0x5EED_4A11
"""The key of the lock that every run of this engine takes; PostgreSQL scopes it to the database."""

_ESCAPED = re.compile(r"[\x00-\x1f\x7f\\]")


class NamedType(UserDefinedType[Any]):
    """A type of which only the name is known, as SQL has it."""

    cache_ok = True

    def __init__(self, named: str) -> None:
        self.named = named

    def get_col_spec(self, **_: Any) -> str:
        """The name."""
        return self.named


class PostgreSQLDialect(SeedDialect):
    """PostgreSQL 13 or newer, through psycopg 3."""

    name = "postgresql"
    no_rows = "WITH NO DATA"
    on_commit = " ON COMMIT DROP"
    preamble = (
        "Run this with `psql -v ON_ERROR_STOP=1 -f script.sql`: a failed check ends the transaction,"
        " and nothing of it is kept.",
    )

    @property
    def session(self) -> Sequence[str]:
        # First: a transaction's level can be chosen before its first query alone. SET LOCAL leaves the
        # client's session as it was.
        settings = {"client_encoding": "UTF8", **SETTINGS}
        local = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
        return [READ_COMMITTED, *local, FIRE_TRIGGERS]

    def pin(self, connection: Connection) -> None:
        # Each statement is to see what was committed before it: under a higher level, what another run
        # wrote while this one waited for its lock would stay unseen.
        connection.exec_driver_sql(READ_COMMITTED)
        # All at once. The encoding is left to the driver, which must know of it.
        settings = [sa.func.set_config(name, value, True) for name, value in SETTINGS.items()]
        connection.execute(sa.select(*settings, ORIGIN))

    def cannot_pin(self, error: DBAPIError) -> str | None:
        return CANNOT_PIN.get(getattr(error.orig, "sqlstate", None) or "")

    def secured(self, connection: Connection, tables: Sequence[QualifiedName]) -> list[str]:
        return list(connection.scalars(SECURED, {"tables": dotted(tables)}))

    def literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return repr(value)
        quoted = value.replace("'", "''")
        if _ESCAPED.search(value):
            # E'' reads the same whatever standard_conforming_strings is.
            return "E'" + _ESCAPED.sub(_escape, quoted) + "'"
        return f"'{quoted}'"

    def load(
        self, connection: Connection, table: sa.Table, columns: Sequence[tuple[str, ColumnType]]
    ) -> Load:
        if _copies(connection):
            return _Copy(connection, table.name, [name for name, _ in columns])
        return _Inserts(connection, table.name, columns)

    def slower(self, connection: Connection) -> str:
        if _copies(connection):
            return ""
        return (
            f"rows are sent as statements, for {connection.dialect.driver} is not asked for a COPY:"
            " psycopg (3, not asynchronous) loads them faster"
        )

    def loads_at_once(self, connection: Connection, tables: Sequence[str]) -> bool:
        """COPY knows no rules, refuses under row security, and leaves nothing to compare the rows with.

        Without it rows come a statement each, and one may point at another of its table that is yet to come.
        """
        if not _copies(connection):
            return False
        named = [(None, name) for name in tables]
        if self.secured(connection, named):
            return False
        return connection.execute(self.interfered(named)).first() is None

    def lock(self, connection: Connection, seconds: float) -> None:
        """A transaction's advisory lock: it ends with the transaction, however that ends.

        The timeout stays set for the transaction, so that its table locks do not wait longer either.
        """
        timeout = f"{max(1, round(seconds * 1000))}ms"
        connection.execute(sa.select(sa.func.set_config("lock_timeout", timeout, True)))
        try:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03":
                raise
            raise LockTimeout(seconds) from None

    def rights_missing(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        return list(connection.scalars(RIGHTS, {"tables": list(tables)}))

    def holders(self, connection: Connection, tables: Sequence[str]) -> list[Holder]:
        rows = connection.execute(HOLDERS, {"tables": list(tables), "key": ADVISORY_LOCK})
        return [Holder(*row) for row in rows]

    def lock_script(self) -> Iterable[sa.Executable]:
        yield sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK))

    def home(self, anchors: Sequence[str]) -> Iterable[sa.Executable]:
        yield HOME.bindparams(anchors=list(anchors), first=anchors[0])

    def find(self, connection: Connection, tables: Sequence[str]) -> dict[str, Found]:
        rows = connection.execute(CANDIDATES, {"tables": list(tables)})
        return {row.name: _found(row) for row in rows}

    def count_lost(self, tables: Sequence[str]) -> sa.Select[Any]:
        found = (
            CANDIDATES.bindparams(tables=sorted(tables))
            .columns(
                sa.column("kinds", ARRAY(sa.Text())),
                sa.column("temporary", sa.Boolean()),
                sa.column("home", sa.Boolean()),
                sa.column("tables", sa.Integer()),
            )
            .subquery()
        )
        fine = sa.select(sa.func.count()).where(
            found.c.kinds[1].in_(_TABLES), ~found.c.temporary, found.c.home | (found.c.tables == 1)
        )
        return sa.select(len(tables) - fine.scalar_subquery())

    def lock_tables(self, tables: Sequence[str]) -> Iterable[sa.Executable]:
        """SHARE ROW EXCLUSIVE: who adds a foreign key, a partition, a child or a trigger waits, too."""
        if tables:
            yield _lock(map(identifier, tables), "SHARE ROW EXCLUSIVE")

    def lock_pointing(
        self, references: Sequence[Reference], tables: Sequence[str]
    ) -> Iterable[sa.Executable]:
        """The same for tables that this role may lock; for others, EXCLUSIVE on what they point at.

        Who adds a row that points at a seed table takes ROW SHARE on that, whatever table the row is of, and
        EXCLUSIVE alone keeps that out. It comes last: keys that are checked at the end need ROW SHARE then.
        """
        names = sorted({_name(reference) for reference in references if reference.lockable})
        if names:
            yield _lock(names, "SHARE ROW EXCLUSIVE")
        if not all(reference.lockable for reference in references):
            yield _lock(map(identifier, tables), "EXCLUSIVE")

    def prepare(self, tables: Sequence[sa.Table]) -> Iterable[sa.Executable]:
        if tables:
            # Whether nearly all ids differ is seen in 3,000 rows, too.
            yield sa.text("SET LOCAL default_statistics_target = 10")
            # The joins' columns alone: wide texts take longer to sample than to load.
            names = ", ".join(f'"{table.name}" (seed_id, live_id, action)' for table in tables)
            yield sa.text(f"ANALYZE {names}")

    def index(self, table: sa.Table, columns: Sequence[str]) -> Iterable[sa.Executable]:
        names = ", ".join(columns)
        yield sa.text(f'CREATE INDEX "ix_{table.name}" ON "{table.name}" ({names})')
        yield sa.text(f'ANALYZE "{table.name}"')

    def references(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Reference]]:
        found: dict[str, list[Reference]] = {name: [] for name in tables}
        for row in connection.execute(FOREIGN_KEYS, {"tables": list(tables)}):
            reference = Reference(
                row.child,
                tuple(row.child_columns),
                tuple(row.target_columns),
                None if row.visible and (row.child in found or not _is_own(row.child)) else row.schema,
                tuple(row.identity or ()),
                (row.part_schema, row.part) if row.parted else None,
                row.readable,
                row.lockable,
            )
            # A table may have the same key twice.
            if reference not in found[row.target]:
                found[row.target].append(reference)
        return found

    def count_unknown_references(
        self, known: Mapping[str, Sequence[Reference]], columns: Mapping[str, Collection[str]]
    ) -> sa.Select[Any]:
        listed = sorted(
            f"{target} {ref.table} {','.join(ref.columns)}"
            for target, references in known.items()
            for ref in references
        )
        keys = (
            FOREIGN_KEYS.bindparams(tables=sorted(known))
            .columns(
                sa.column("child", sa.Text()),
                sa.column("visible", sa.Boolean()),
                sa.column("parted", sa.Boolean()),
                sa.column("target", sa.Text()),
                sa.column("child_columns", ARRAY(sa.Text())),
                sa.column("target_columns", ARRAY(sa.Text())),
                sa.column("derived", sa.Boolean()),
            )
            .subquery()
        )
        names = sa.func.array_to_string(keys.c.child_columns, ",", type_=sa.Text)
        name = keys.c.target + " " + keys.c.child + " " + names
        # A table of another schema is not the one that the models know, whatever its name is.
        unknown = sa.or_(~keys.c.visible, keys.c.parted, name.not_in(listed))
        matters = [
            sa.or_(
                keys.c.target != table,
                keys.c.derived,
                *(sa.literal(name) == sa.any_(keys.c.target_columns) for name in sorted(changing)),
            )
            for table, changing in sorted(columns.items())
        ]
        return sa.select(sa.func.count()).select_from(keys).where(unknown, *matters)

    def unknown_columns(self, known: Mapping[str, Collection[str]]) -> sa.Select[Any]:
        listed = [f"{table}.{column}" for table in known for column in known[table]]
        names = (sa.column(name, sa.Text()) for name in ("table_name", "column_name"))
        found = COLUMNS.bindparams(tables=sorted(known)).columns(*names).subquery()
        name = found.c.table_name + "." + found.c.column_name
        return sa.select(found).where(name.not_in(sorted(listed))).order_by(*found.c)

    def interfered(self, tables: Sequence[QualifiedName], *, before: bool = False) -> sa.Select[Any]:
        query = INTERFERED_BEFORE if before else INTERFERED
        found = query.bindparams(tables=dotted(tables)).columns(sa.column("root", sa.Text())).subquery()
        return sa.select(found.c.root).order_by(found.c.root)

    def fire_deferred(self) -> Iterable[sa.Executable]:
        # Deferred triggers would write, and deferred keys refuse, after everything was looked at.
        yield sa.text("SET CONSTRAINTS ALL IMMEDIATE")

    @contextmanager
    def readable(self, connection: Connection) -> Iterator[None]:
        driver: Any = connection.connection.driver_connection
        encoding = connection.scalar(sa.text("SHOW server_encoding"))
        if encoding != "SQL_ASCII" or connection.dialect.driver != "psycopg":
            # Any other encoding is checked by the server when a value is stored.
            yield
            return
        # Not before it is needed: SQLite can do without the driver.
        from seedrail.dialects.odd_text import spelled_out

        # As UTF-8, the server would check what it sends, and refuse.
        connection.execute(sa.text("SET LOCAL client_encoding = 'SQL_ASCII'"))
        with spelled_out(driver):
            yield
        connection.execute(sa.text("SET LOCAL client_encoding = 'UTF8'"))

    def equal(self, type_: ColumnType, one: ColumnElement[Any], other: Any) -> ColumnElement[bool]:
        if type_.kind == "json":
            # A live column may be JSON, which has no equality of its own.
            return self.same(sa.cast(one, JSONB), sa.cast(other, JSONB))
        return super().equal(type_, one, other)

    def letters(self, value: Any) -> ColumnElement[Any]:
        """As text, for the column may be of a type with another equality (citext), or an enum."""
        return sa.collate(sa.cast(value, sa.Text()), "C")

    def holds(self, column: ColumnElement[Any], default: str) -> ColumnElement[bool]:
        """Compared as text: not every type that people may choose has an equality (json, point, xml)."""
        if default.upper() == "NULL":
            return column.is_(None)
        return self.same(self.letters(column), self.letters(self.given(column, default)))

    def given(self, column: ColumnElement[Any], default: str) -> ColumnElement[Any]:
        """0 in a column of two decimal places is 0.00; what SQLAlchemy does not know names its type."""
        given = super().given(column, default)
        return given if isinstance(column.type, sa.types.NullType) else sa.cast(given, column.type)

    def from_ledger(self, value: Any, column: sa.Column[Any]) -> ColumnElement[Any]:
        """By way of a record of the live table, whose column's own type reads the text.

        A cast could not name the type of a column that a script has not seen.
        """
        stored = column.type
        while isinstance(stored, DOMAIN):
            stored = stored.data_type
        if isinstance(stored, sa.JSON | sa.ARRAY | NamedType):
            # A record takes documents, arrays and records apart; what SQLAlchemy does not know may be one.
            as_read = sa.JSON() if isinstance(column.type, sa.JSON) else column.type
            return sa.cast(value, as_read)
        record: Any = sa.literal_column(_record(identifier(column.table.name)))
        filled = sa.func.json_populate_record(
            record, sa.func.json_build_object(sa.literal(column.name, sa.Text()), value)
        )
        one = filled.table_valued(sa.column(column.name, column.type)).alias("kept")
        return sa.select(one.c[column.name]).scalar_subquery()

    def types_named(
        self, connection: Connection, tables: Sequence[str]
    ) -> Mapping[tuple[str, str], TypeEngine[Any]]:
        rows = connection.execute(TYPES, {"tables": list(tables)})
        return {(row.table_name, row.column_name): NamedType(row.named) for row in rows}

    def inherited(self, connection: Connection, tables: Sequence[str]) -> set[str]:
        return set(connection.scalars(INHERITED, {"tables": list(tables)}))

    def stored_by_heir(self, live: sa.Table) -> ColumnElement[bool] | None:
        name = identifier(live.name)
        own = "'" + name.replace("'", "''") + "'::regclass"
        # A partition has the columns of its root, and its keys hold for all.
        heirs = "SELECT oid FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
        return sa.literal_column(f"({name}.tableoid <> {own} AND {name}.tableoid IN ({heirs}))", sa.Boolean())

    def days_beyond(self, kind: str, low: Any, high: Any, days: Any) -> ColumnElement[Any]:
        day: Any = sa.literal_column("INTERVAL '1 day'") if kind == "timestamp" else 1
        last: Any = sa.literal_column("DATE '9990-01-01'")
        shift = days * day if kind == "timestamp" else sa.cast(days, sa.Integer())
        return sa.case((high < last, high + shift), else_=low - shift)

    def uniques(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Unique]]:
        found: dict[str, list[Unique]] = {name: [] for name in tables}
        for row in connection.execute(UNIQUES, {"tables": list(tables)}):
            found[row.name].append(Unique(tuple(row.columns), row.exact, row.nulls_distinct))
        return found


class _Copy:
    """COPY … FROM STDIN: the server reads while the next rows are made."""

    def __init__(self, connection: Connection, table: str, columns: Sequence[str]) -> None:
        self._cursor: Any = connection.connection.cursor()
        names = ", ".join(f'"{name}"' for name in columns)
        self._block: Any = self._cursor.copy(f'COPY "{table}" ({names}) FROM STDIN')
        self._copy = self._block.__enter__()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        write = self._copy.write_row
        for row in rows:
            write(row)

    def finish(self) -> int:
        self._block.__exit__(None, None, None)
        arrived = int(self._cursor.rowcount)
        self._cursor.close()
        return arrived

    def abandon(self, error: BaseException) -> None:
        self._block.__exit__(type(error), error, error.__traceback__)
        self._cursor.close()


class _Inserts:
    """The same rows a batch a statement, for a driver that has no COPY of psycopg's kind.

    Drivers bind values each in their own way, and some want Python's types of them: a batch is one text, of
    which the server's record takes each column as its own type.
    """

    def __init__(self, connection: Connection, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        self._connection = connection
        self._names = [name for name, _ in columns]
        self._json = [index for index, (_, type_) in enumerate(columns) if type_.kind == "json"]
        names = ", ".join(map(identifier, self._names))
        rows = f"json_populate_recordset({_record(identifier(table))}, CAST(:rows AS json))"
        insert = f"INSERT INTO {identifier(table)} ({names}) SELECT {names} FROM "  # noqa: S608
        # A colon in a name is none of a parameter.
        self._statement = sa.text(insert.replace(":", r"\:") + rows)
        self._arrived = 0

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        text = msgspec.json.encode([dict(zip(self._names, self._typed(row), strict=True)) for row in rows])
        self._arrived += self._connection.execute(self._statement, {"rows": text.decode()}).rowcount

    def _typed(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self._json:
            return row
        values = list(row)
        for index in self._json:
            if values[index] is not None:
                values[index] = msgspec.Raw(values[index].encode())
        return values

    def finish(self) -> int:
        return self._arrived

    def abandon(self, error: BaseException) -> None:
        """Nothing is open between two batches."""


def _copies(connection: Connection) -> bool:
    """Whether a connection's driver has COPY of psycopg's kind: it is the fastest way for rows to come."""
    return connection.dialect.driver == "psycopg" and not connection.dialect.is_async


_TABLES = ("r", "p")
_OTHERS = {
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a type",
}


def _found(row: Any) -> Found:
    schema, kind = row.schemas[0], row.kinds[0]
    if row.temporary:
        return Found(problem="a temporary table of this session", hidden=True)
    if kind not in _TABLES:
        return Found(problem=f"{_OTHERS.get(kind, 'an index')} in the schema {quoted(schema)}")
    tables = [name for name, kind in zip(row.schemas, row.kinds, strict=True) if kind in _TABLES]
    if not row.home and len(tables) > 1:
        there = ", ".join(map(quoted, tables))
        return Found(problem=f"a table in each of the schemas {there}, none of which holds the ledger")
    return Found(schema, also=tuple(tables[1:]))


def _is_own(name: str) -> bool:
    """Whether a table may be hidden by a temporary one of the run."""
    return name.startswith("seed_")


def _record(table: str) -> str:
    """A record of a table, as SQL: NULL, but one of its rows where a domain of its columns may refuse NULL.

    What is not given a value stays as it is in that row. The table stands in a FROM, for a cast looks types
    up: `path` and `point` are some of the server's own.
    """
    literal = table.replace("'", "''")
    domains = (
        "SELECT FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid"
        f" WHERE a.attrelid = '{literal}'::regclass AND t.typtype = 'd'"
    )
    # A column of this name would be taken instead, be it one of the query around.
    alias = '"a row that lends the seed its record"'
    return f"(SELECT {alias} FROM {table} AS {alias} WHERE EXISTS ({domains}) LIMIT 1)"  # noqa: S608


def _lock(names: Iterable[str], mode: str) -> sa.TextClause:
    return sa.text(f"LOCK TABLE {', '.join(names)} IN {mode} MODE".replace(":", "\\:"))


def _name(reference: Reference) -> str:
    return ".".join(identifier(name) for name in (reference.schema, reference.table) if name)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return "\\\\" if character == "\\" else f"\\x{ord(character):02x}"
