"""Where rows go: in bulk over a connection, or as literals into a script."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from seedrail.dialects import Load, SeedDialect
from seedrail.errors import SeedError
from seedrail.quoting import shown
from seedrail.schema.types import ColumnType

ROWS_A_STATEMENT = 200


class BulkLoader:
    """Rows for one table after the other, each in one bulk load; a context manager, which ends the last.

    `create` is asked for each table before its first row, `arrived` is told how many rows each batch had.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: SeedDialect,
        create: Callable[[sa.Table], None],
        arrived: Callable[[int], None],
    ) -> None:
        self.connection, self.dialect = connection, dialect
        self.create, self.arrived = create, arrived
        self._table: sa.Table | None = None
        self._columns: Sequence[tuple[str, ColumnType]] = ()
        self._load: Load | None = None
        self._sent = 0

    def __enter__(self) -> "BulkLoader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
        elif self._load is not None:
            self._load.abandon(error)

    def load(
        self, table: sa.Table, columns: Sequence[tuple[str, ColumnType]], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Add a batch of rows."""
        if table is not self._table or columns is not self._columns:
            self.end()
            self.create(table)
            with wrapped(self.connection):
                self._load = self.dialect.load(self.connection, table, columns)
            self._table, self._columns = table, columns
        if self._load is not None:
            with wrapped(self.connection):
                self._load.add(rows)
            self._sent += len(rows)
            self.arrived(len(rows))

    def end(self) -> None:
        """End the load at hand; SeedError where the database took fewer rows than it was sent."""
        if self._load is None or self._table is None:
            return
        load, table, sent = self._load, self._table, self._sent
        self._load, self._table, self._sent = None, None, 0
        with wrapped(self.connection):
            arrived = load.finish()
        if arrived != sent:
            raise rows_missed(table.name, "insert")


def rows_missed(table: str, verb: str) -> SeedError:
    """A trigger or rule may swallow rows without an error; then nothing may be committed."""
    return SeedError(
        f"{shown(table)}: some rows were not {_PAST[verb]}, or not as the seed asks; nothing was written\n"
        "  look for a trigger or rule on the table that drops rows, or changes what is written"
    )


_PAST = {"insert": "inserted", "update": "updated", "delete": "deleted"}


@contextmanager
def wrapped(connection: Connection) -> Iterator[None]:
    """The driver's errors as SQLAlchemy's, like those of every other statement."""
    base = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except base as error:
        raw = connection.connection.dbapi_connection
        lost = connection.dialect.is_disconnect(error, raw, None)
        raise DBAPIError.instance(
            None, None, error, base, hide_parameters=True, connection_invalidated=lost,
            dialect=connection.dialect,
        ) from error  # fmt: skip


class ScriptLoader:
    """Rows as INSERT statements of a script; they are not bound, so that the native client can read them."""

    def __init__(
        self, context: MigrationContext, dialect: SeedDialect, create: Callable[[sa.Table], None]
    ) -> None:
        self.context, self.dialect, self.create = context, dialect, create

    def load(
        self, table: sa.Table, columns: Sequence[tuple[str, ColumnType]], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Write a batch of rows."""
        self.create(table)
        names = ", ".join(f'"{name}"' for name, _ in columns)
        literals = [self.dialect.literal_of(type_) for _, type_ in columns]
        for start in range(0, len(rows), ROWS_A_STATEMENT):
            values = ",\n".join(
                "(" + ", ".join(write(value) for write, value in zip(literals, row, strict=True)) + ")"
                for row in rows[start : start + ROWS_A_STATEMENT]
            )
            # Not through execute(): Alembic turns tabs into spaces there, inside literals too.
            self.context.impl.static_output(f'INSERT INTO "{table.name}" ({names}) VALUES\n{values};')
