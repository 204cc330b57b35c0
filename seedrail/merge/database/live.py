"""What the engine reads of the live schema before a move; offline, what the change file froze."""

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeEngine

from seedrail.dialects import Found, SeedDialect
from seedrail.errors import SetupError
from seedrail.quoting import shown
from seedrail.schema.defaults import ServerDefault, constant_default
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable, Reference
from seedrail.schema.uniques import Unique

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Live:
    """The live schema as a move needs it.

    `columns` are a table's columns with their types (no entry: as frozen), but for those `generated`, which
    the database alone writes, among them those `derived` of other columns; `defaults` the constant defaults
    of all columns as SQL (NULL: none), `references` the foreign keys that point at each table,
    `uniques` its unique constraints. `required` are the columns that an INSERT has to give a value.
    """

    columns: Mapping[str, Mapping[str, TypeEngine[Any]]]
    defaults: Mapping[str, Mapping[str, str]]
    references: dict[str, list[Reference]]
    uniques: Mapping[str, Sequence[Unique]]
    derived: Mapping[str, frozenset[str]]
    generated: Mapping[str, frozenset[str]] = field(default_factory=dict)
    required: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def unseeded_of(self, table: FrozenTable) -> dict[str, str]:
        """The columns of a table that no seed sets, with their constant defaults."""
        seeded = {table.id, *table.columns, *table.volatile}
        found = self.defaults.get(table.name, {})
        return {name: default for name, default in found.items() if name not in seeded}

    @property
    def names(self) -> dict[str, set[str]]:
        """The names of all columns of each table."""
        return {table: {*found, *self.generated.get(table, ())} for table, found in self.columns.items()}


def frozen_schema(dialect: SeedDialect, tables: Sequence[FrozenTable]) -> Live:
    """The schema as a script knows it."""
    references = {table.name: list(table.referenced_by) for table in tables}
    uniques = {table.name: table.uniques for table in tables}
    defaults = {table.name: _literal_defaults(table, dialect) for table in tables}
    required = {
        table.name: frozenset(name for name, column in table.columns.items() if not column.nullable)
        for table in tables
    }
    derived = {table.name: _derived(table) for table in tables}
    return Live({}, defaults, references, uniques, derived, required=required)


def _derived(table: FrozenTable) -> frozenset[str]:
    """What a model's keys point at and no row names: computed, or an identity, which a script cannot tell."""
    named = {table.id, *table.columns, *table.volatile, *table.defaults}
    return frozenset(name for key in table.referenced_by for name in key.target if name not in named)


def lock_and_read(connection: Connection, dialect: SeedDialect, tables: Sequence[FrozenTable]) -> Live:
    """Lock the seed tables and what points at them, then read the live schema: it stays as it is read.

    SetupError for a table that is missing, or of which the name finds something else.
    """
    names = [table.name for table in tables]
    # A table that is not there is told by its name before the lock; what counts is found under it.
    _find(connection, dialect, tables)
    _execute(connection, dialect.lock_tables(sorted(names)))
    homes = _find(connection, dialect, tables)
    _say_homes(homes)
    references = _lock_pointing(connection, dialect, names)
    return _read(connection, dialect, tables, homes, references, dialect.uniques(connection, names))


def look_at(connection: Connection, dialect: SeedDialect, tables: Sequence[FrozenTable]) -> Live:
    """The live schema with its foreign keys and no locks, for a run that only says what it would do."""
    names = [table.name for table in tables]
    homes = _find(connection, dialect, tables)
    references, uniques = dialect.references(connection, names), dialect.uniques(connection, names)
    return _read(connection, dialect, tables, homes, references, uniques)


def read_live(connection: Connection, dialect: SeedDialect, tables: Sequence[FrozenTable]) -> Live:
    """The live schema as it is now, without locks and without foreign keys, for a look at rows."""
    return _read(connection, dialect, tables, _find(connection, dialect, tables), {}, {})


def _lock_pointing(
    connection: Connection, dialect: SeedDialect, names: Sequence[str]
) -> dict[str, list[Reference]]:
    """The foreign keys at locked tables, once the tables that they belong to are locked, too.

    What is found while they are waited for is locked as well. That ends: a new foreign key, and a new
    partition of a table that has one, needs a lock on the table it points at, which is held here.
    """
    locked: set[tuple[str | None, str]] = {(None, name) for name in names}
    while True:
        references = dialect.references(connection, names)
        new = [ref for refs in references.values() for ref in refs if (ref.schema, ref.table) not in locked]
        if not new:
            return references
        _execute(connection, dialect.lock_pointing(new, sorted(names)))
        locked |= {(ref.schema, ref.table) for ref in new}


def _find(connection: Connection, dialect: SeedDialect, tables: Sequence[FrozenTable]) -> dict[str, Found]:
    """Where each table is; SetupError where one is missing, or something else has its name."""
    names = [table.name for table in tables]
    others = {key.table for table in tables for key in table.foreign_keys.values()}
    found = dialect.find(connection, sorted({*names, *others}))
    for name in (*names, *sorted(others.difference(names))):
        there = found.get(name)
        if there is None and name in names:
            raise SetupError(
                f"the seeds need the table {shown(name)}, which the database does not have;"
                " was it dropped by hand, or renamed by a schema revision? where one that has not run yet"
                " makes it, the seed revision must name that one in its down_revision too"
            )
        # What links lead to may be of any kind, but is to be what others see, too.
        if there is not None and (there.hidden or (there.problem and name in names)):
            raise SetupError(
                f"the seeds need the table {shown(name)}, but its name finds {there.problem};"
                " nothing was written\n"
                "  rename or drop what stands in its place, or set the search path of the run"
            )
    return {name: found[name] for name in names}


def _say_homes(found: Mapping[str, Found]) -> None:
    """Which table is meant, where there is more than one of its name."""
    for name, there in found.items():
        if there.also:
            others = ", ".join(
                f"{shown(schema, apart='.')}.{shown(name, apart='.')}" for schema in there.also
            )
            log.info(
                "%s is that of the schema %s; %s stays as it is", shown(name), shown(there.schema), others
            )


def _read(
    connection: Connection,
    dialect: SeedDialect,
    tables: Sequence[FrozenTable],
    homes: Mapping[str, Found],
    references: dict[str, list[Reference]],
    uniques: Mapping[str, Sequence[Unique]],
) -> Live:
    inspector = sa.inspect(connection)
    columns: dict[str, dict[str, TypeEngine[Any]]] = {}
    defaults: dict[str, dict[str, str]] = {}
    derived: dict[str, frozenset[str]] = {}
    generated: dict[str, frozenset[str]] = {}
    required: dict[str, frozenset[str]] = {}
    for schema in dict.fromkeys(there.schema for there in homes.values()):
        names = [name for name, there in homes.items() if there.schema == schema]
        with warnings.catch_warnings():
            # People's columns may be of types that SQLAlchemy does not know.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            found = inspector.get_multi_columns(filter_names=names, schema=schema, kind=ObjectKind.ANY)
        named = _named(connection, dialect, found)
        for table in tables:
            live = found.get((schema, table.name))
            if live is None:
                continue
            derived[table.name] = frozenset(column["name"] for column in live if column.get("computed"))
            # What the database alone writes is no column to a seed, whoever made it so.
            generated[table.name] = frozenset(column["name"] for column in live if _is_generated(column))
            columns[table.name] = {
                column["name"]: named.get((table.name, column["name"]), column["type"])
                for column in live
                if column["name"] not in generated[table.name]
            }
            defaults[table.name] = _defaults(live, dialect)
            required[table.name] = frozenset(column["name"] for column in live if _is_required(column))
    return Live(columns, defaults, references, uniques, derived, generated, required)


def _named(
    connection: Connection, dialect: SeedDialect, found: Mapping[Any, Iterable[Any]]
) -> dict[tuple[str, str], TypeEngine[Any]]:
    """The columns (table, column) of types that SQLAlchemy does not know, with the database's names."""
    unknown = {
        (table, column["name"])
        for (_, table), columns in found.items()
        for column in columns
        if isinstance(column["type"], sa.types.NullType)
    }
    if not unknown:
        return {}
    told = dialect.types_named(connection, sorted({table for table, _ in unknown}))
    return {where: type_ for where, type_ in told.items() if where in unknown}


def _defaults(live: Iterable[Any], dialect: SeedDialect) -> dict[str, str]:
    """The reflected columns with their defaults, where these are constant."""
    found = {
        one["name"]: constant_default(dialect.default(one["default"]))
        for one in live
        # An identity has no default either, and is another number in each row.
        if not one.get("computed") and not one.get("identity")
    }
    return {name: default for name, default in found.items() if default is not None}


def _is_generated(column: Any) -> bool:
    """Whether the database refuses an INSERT that gives a reflected column a value."""
    return bool(column.get("computed") or (column.get("identity") or {}).get("always"))


def _is_required(column: Any) -> bool:
    """Whether the database refuses an INSERT that leaves a reflected column out."""
    given = column.get("computed") or column.get("identity") or column["default"] is not None
    return not (column["nullable"] or given)


def _literal_defaults(table: FrozenTable, dialect: SeedDialect) -> dict[str, str]:
    """The defaults that a script knows, as SQL."""
    return {
        name: dialect.literal_of(default.type)(_text_of_json(default))
        for name, default in table.defaults.items()
        if default.literal
    }


def _text_of_json(default: ServerDefault) -> Any:
    as_json = default.type.kind == "json" and default.value is not None
    return canonical_json(default.value) if as_json else default.value


def _execute(connection: Connection, statements: Iterable[sa.Executable]) -> None:
    for statement in statements:
        connection.execute(statement)


Columns = set[tuple[str, str]]
"""Columns of tables, by both names."""


class Arrivals:
    """What comes to some tables while a run goes on, in the one transaction of the run.

    Nobody but the run's own schema revisions can have written in these columns: what is found there when the
    seeds are moved is nobody's edit, whatever the seed expects.
    """

    def __init__(self, connection: Connection, dialect: SeedDialect, tables: Iterable[str]) -> None:
        self._connection, self._dialect, self._tables = connection, dialect, sorted(tables)
        self._there = self._see()
        self.came: Columns = set()

    def look_again(self) -> None:
        """After a schema revision: what was not there before it has come, and what is gone has not."""
        there = self._see()
        self.came = (self.came | there - self._there) & there
        self._there = there

    def _see(self) -> Columns:
        found: Columns = set()
        # As a move does, by what the names lead to.
        homes = self._dialect.find(self._connection, self._tables)
        for schema in {one.schema for one in homes.values()}:
            names = [name for name, one in homes.items() if one.schema == schema]
            inspector = sa.inspect(self._connection)
            columns = inspector.get_multi_columns(filter_names=names, schema=schema, kind=ObjectKind.ANY)
            found |= {(table, one["name"]) for (_, table), many in columns.items() for one in many}
        return found
