"""What the engine needs of a database beyond SQLAlchemy: bulk staging, literals, its catalog, its locks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from seedrail.schema.tables import Reference
from seedrail.schema.types import ColumnType
from seedrail.schema.uniques import Unique

QualifiedName = tuple[str | None, str]
"""A table's schema (None: found by the search path) and its name."""


@dataclass(frozen=True)
class Found:
    """What a table's name leads to: the schema that holds the table, or the problem with what is there.

    `hidden` says that it is something of this session, which stands before what others see; `also` are other
    schemas of the search path with a table of that name.
    """

    schema: str | None = None
    problem: str = ""
    hidden: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holder:
    """A session that holds, or waits for, what a run needs: `what` is the run lock or a table's name."""

    process: int
    user: str
    application: str
    what: str
    mode: str
    waits: bool
    seconds: float


def dotted(tables: Iterable[QualifiedName]) -> list[str]:
    """Names of tables as queries of the catalogs compare them."""
    return sorted({".".join(part for part in table if part) for table in tables})


class Load(Protocol):
    """A bulk load into one table."""

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Send rows, in canonical form with JSON as text."""

    def finish(self) -> int:
        """End it; returns how many rows have arrived."""

    def abandon(self, error: BaseException) -> None:
        """Free the connection after an error, so that it can be rolled back."""


class SeedDialect(ABC):
    """One database's side of a move."""

    name: str
    preamble: tuple[str, ...] = ()
    """Lines that open an offline script's move: what its reader or client must know."""

    permanent: str | None = None
    """The schema of tables that no temporary one of the run may hide, where there is but one."""

    before: tuple[str, ...] = ()
    """Statements that an offline script begins with, because they do nothing inside of a transaction."""

    @property
    @abstractmethod
    def session(self) -> Sequence[str]:
        """Statements that each transaction begins with: how literals are read, texts written, rows seen."""

    def pin(self, connection: Connection) -> None:
        """Run them on a connection, inside its transaction."""
        for statement in self.session:
            connection.exec_driver_sql(statement)

    def rights_missing(self, connection: Connection, tables: Sequence[str]) -> list[str]:
        """What a run does and this role may not, as it would be granted; of the tables that are there."""
        return []

    def holders(self, connection: Connection, tables: Sequence[str]) -> list[Holder]:
        """Who holds the run lock, or writes to some tables; none where the database does not tell."""
        return []

    def cannot_pin(self, error: DBAPIError) -> str | None:
        """What an error of `pin` means, if it means that the session cannot be had; with what to do."""
        return None

    @abstractmethod
    def literal(self, value: Any) -> str:
        """A stored value as an SQL literal that the native client reads back unchanged."""

    def literal_of(self, type_: ColumnType) -> Callable[[Any], str]:
        """The function from a type's canonical value to an SQL literal."""
        return self.literal

    @abstractmethod
    def load(
        self, connection: Connection, table: sa.Table, columns: Sequence[tuple[str, ColumnType]]
    ) -> Load:
        """Begin a bulk load; the connection is its own until it ends."""

    def slower(self, connection: Connection) -> str:
        """Why rows take longer to load than they would with another driver; empty if they do not."""
        return ""

    def loads_at_once(self, connection: Connection, tables: Sequence[str]) -> bool:
        """Whether a bulk load into tables is faster than staging, and writes to each as INSERT would."""
        return False

    @abstractmethod
    def lock(self, connection: Connection, seconds: float) -> None:
        """Keep other runs out until the transaction ends; LockTimeout after `seconds`."""

    def lock_script(self) -> Iterable[sa.Executable]:
        """The same as statements of a script, which waits for as long as its client lets it."""
        return ()

    def home(self, anchors: Sequence[str]) -> Iterable[sa.Executable]:
        """Statements after which a bare name means the same table until the transaction ends.

        The first of the tables `anchors` that is there shows where the catalog's home is.
        """
        return ()

    @abstractmethod
    def find(self, connection: Connection, tables: Sequence[str]) -> dict[str, Found]:
        """What the tables' names lead to; no entry where there is nothing."""

    @abstractmethod
    def count_lost(self, tables: Sequence[str]) -> sa.Select[Any]:
        """A query for how many of the tables are not there, or not what `find` has no problem with."""

    @abstractmethod
    def lock_tables(self, tables: Sequence[str]) -> Iterable[sa.Executable]:
        """Statements that keep writers, and changes of the schema, out of seed tables.

        They hold until the transaction ends.
        """

    def lock_pointing(
        self, references: Sequence[Reference], tables: Sequence[str]
    ) -> Iterable[sa.Executable]:
        """Statements that keep new rows which point at seed tables out of the references' own tables."""
        return ()

    def secured(self, connection: Connection, tables: Sequence[QualifiedName]) -> list[str]:
        """Those of some tables whose row security may hide rows from this session, for a report."""
        return []

    @abstractmethod
    def references(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Reference]]:
        """Every foreign key of the database that points at one of `tables`, by the table it points at."""

    @abstractmethod
    def count_unknown_references(
        self, known: Mapping[str, Sequence[Reference]], columns: Mapping[str, Collection[str]]
    ) -> sa.Select[Any]:
        """A query for how many foreign keys point at the tables of `known` without being listed there.

        Of a table in `columns`, only those that point at one of these columns count.
        """

    @abstractmethod
    def unknown_columns(self, known: Mapping[str, Collection[str]]) -> sa.Select[Any]:
        """A query for the columns (table, column) of tables that `known` does not list for them.

        Columns that the database fills itself, generated ones and identities, are not among them.
        """

    @abstractmethod
    def interfered(self, tables: Sequence[QualifiedName], *, before: bool = False) -> sa.Select[Any]:
        """A query for those of some tables on which triggers or rules act, by their names.

        `before` leaves out triggers that cannot keep a row from being written as it was asked.
        """

    def fire_deferred(self) -> Iterable[sa.Executable]:
        """Statements that let happen now what was put off to the end of the transaction."""
        return ()

    def files(self, connection: Connection) -> list[Path]:
        """The files that hold the database, where it is this process that writes them."""
        return []

    @abstractmethod
    def uniques(self, connection: Connection, tables: Sequence[str]) -> dict[str, list[Unique]]:
        """The unique constraints and indexes of tables, but for those of primary keys."""

    def types_named(
        self, connection: Connection, tables: Sequence[str]
    ) -> Mapping[tuple[str, str], TypeEngine[Any]]:
        """The types of the columns (table, column) of tables, by names that a cast may use."""
        return {}

    def inherited(self, connection: Connection, tables: Sequence[str]) -> set[str]:
        """Those of some tables that have rows of others among their own, which inherit from them."""
        return set()

    def stored_by_heir(self, live: sa.Table) -> ColumnElement[bool] | None:
        """Whether a row of a table is one of a table that inherits from it; None where none ever does."""
        return None

    no_rows: str
    """The end of a query that makes a table without rows."""

    on_commit = ""
    """What makes a temporary table end with its transaction, where that is said of each."""

    def create(self, stage: sa.Table) -> sa.Executable:
        """Make a temporary table; one for staging of the live columns' own types.

        So it converts as storing does, and what a REAL or a timestamp of whole seconds makes of a value is
        not taken for an edit. A script need not know how a column was declared.
        """
        if OF not in stage.info:
            return sa.schema.CreateTable(stage)
        columns = ", ".join(f"{_source(column)} AS {identifier(column.name)}" for column in stage.columns)
        # Names are those of the tables; nothing of a row is in it.
        query = f"SELECT {columns} FROM {identifier(stage.info[OF])} {self.no_rows}"  # noqa: S608
        return sa.text(
            f"CREATE TEMPORARY TABLE {identifier(stage.name)}{self.on_commit} AS {query}".replace(":", "\\:")
        )

    def equal(self, type_: ColumnType, one: ColumnElement[Any], other: Any) -> ColumnElement[bool]:
        """Whether two values of a type are stored alike, NULL being equal to NULL.

        Text is compared to the letter, whatever the column's collation holds equal.
        """
        return self.same(self.letters(one), self.letters(other)) if type_.is_text else self.same(one, other)

    @abstractmethod
    def letters(self, value: Any) -> ColumnElement[Any]:
        """A text for comparing it letter by letter."""

    def default(self, told: str | None) -> str | None:
        """A column's default, told by the catalog or a model, as an expression; None where it has none."""
        return told

    def holds(self, column: ColumnElement[Any], default: str) -> ColumnElement[bool]:
        """Whether a column that no seed sets holds its constant default, which is given as SQL."""
        if default.upper() == "NULL":
            return column.is_(None)
        return self.same(self.letters(column), self.given(column, default))

    def given(self, column: ColumnElement[Any], default: str) -> ColumnElement[Any]:
        """A constant default, given as SQL, as a value for its column."""
        return sa.literal_column(f"({default})")

    def same(self, one: ColumnElement[Any], other: Any) -> ColumnElement[bool]:
        """Whether two values that have an equality are the same, NULL being equal to NULL."""
        return one.is_not_distinct_from(other)

    def prepare(self, tables: Sequence[sa.Table]) -> Iterable[sa.Executable]:
        """Statements that make full staging tables fast to join."""
        return ()

    def index(self, table: sa.Table, columns: Sequence[str]) -> Iterable[sa.Executable]:
        """Statements that make rows of a temporary table of the engine's own fast to find by some columns."""
        return ()

    @contextmanager
    def readable(self, connection: Connection) -> Iterator[None]:
        """Within it, a text that is not in its encoding is read with its odd bytes spelled out.

        For reports: a run moves values inside of the database, which takes such a text as it is.
        """
        yield

    def text(self, value: Any) -> ColumnElement[str]:
        """A value as text, for a report."""
        return sa.cast(value, sa.Text())

    def raw(self, value: Any) -> ColumnElement[Any]:
        """A live column's value as `integration.export.stored` reads it: as text, of SQLite as it is."""
        return sa.cast(value, sa.Text())

    def stores(self, type_: ColumnType, value: Any) -> Any:
        """What `raw` gives of a canonical value that a seed stored; None where it may give several things."""
        return None

    def listed(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of a script's report, for a client that may print a value as it is."""
        return column

    def to_ledger(self, value: Any) -> ColumnElement[Any]:
        """A live column's value as the ledger keeps it."""
        return sa.cast(value, sa.Text())

    @abstractmethod
    def from_ledger(self, value: Any, column: sa.Column[Any]) -> ColumnElement[Any]:
        """What the ledger kept, as a value for the live column."""

    @abstractmethod
    def days_beyond(self, kind: str, low: Any, high: Any, days: Any) -> ColumnElement[Any]:
        """A timestamp or date that is some days above others; below them where the calendar ends."""


def identifier(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


OF = "of"
"""Where a staging table says in its `info` which live table it is of, and its columns which live column."""


def _source(column: sa.Column[Any]) -> str:
    if OF in column.info:
        return identifier(column.info[OF])
    return f"CAST(NULL AS {'TEXT' if isinstance(column.type, sa.Text) else 'INTEGER'})"
