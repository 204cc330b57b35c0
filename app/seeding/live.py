"""What the engine reads of the live schema before a move; offline, what the change file froze."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.types import TypeEngine

from app.seeding.dialects import SeedDialect
from app.seeding.errors import SetupError
from app.seeding.tables import FrozenTable, Reference

# A default that is computed (now(), nextval(...)) says nothing about whether a row was edited.
_LITERAL_DEFAULT = re.compile(
    r"(-?\d+(\.\d+)?|'(?:[^']|'')*'|true|false|null)(::[\w \[\]\"().]+)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Live:
    """The live schema as a move needs it.

    `columns` are a table's columns with their types (no entry: as frozen), `unseeded` those that no seed
    sets, with their literal defaults as SQL, `references` the foreign keys that point at each table,
    `uniques` the columns of its unique constraints.
    """

    columns: Mapping[str, Mapping[str, TypeEngine[Any]]]
    unseeded: Mapping[str, Mapping[str, str]]
    references: dict[str, list[Reference]]
    uniques: Mapping[str, Sequence[Sequence[str]]]
    lockable: Sequence[str]


def read_live(connection: Connection | None, dialect: SeedDialect, tables: Sequence[FrozenTable]) -> Live:
    """The live schema, or its frozen form without a connection; SetupError for a missing table."""
    names = [table.name for table in tables]
    if connection is None:
        references = {table.name: list(table.referenced_by) for table in tables}
        uniques = {table.name: [list(table.key)] for table in tables}
        return Live({}, {}, references, uniques, _lockable(names, references))
    inspector = sa.inspect(connection)
    found = inspector.get_multi_columns(filter_names=names, kind=ObjectKind.ANY)
    columns: dict[str, dict[str, TypeEngine[Any]]] = {}
    unseeded: dict[str, dict[str, str]] = {}
    for table in tables:
        live = found.get((None, table.name))
        if live is None:
            raise SetupError(
                f"the seeds need the table {table.name}, which the database does not have;"
                " was it dropped by hand, or renamed by a schema revision?"
            )
        columns[table.name] = {column["name"]: column["type"] for column in live}
        seeded = {table.id, *table.columns, *table.volatile}
        unseeded[table.name] = {
            column["name"]: column["default"] or "NULL"
            for column in live
            if column["name"] not in seeded
            and not column.get("computed")
            and not column.get("identity")
            and _LITERAL_DEFAULT.fullmatch(column["default"] or "NULL")
        }
    references = dialect.references(connection, names)
    return Live(columns, unseeded, references, _uniques(inspector, names), _lockable(names, references))


def _uniques(inspector: sa.Inspector, names: Sequence[str]) -> dict[str, list[list[str]]]:
    constraints = inspector.get_multi_unique_constraints(filter_names=names)
    indexes = inspector.get_multi_indexes(filter_names=names)
    found: dict[str, list[list[str]]] = {}
    for name in names:
        unique = [constraint["column_names"] for constraint in constraints.get((None, name), [])]
        for index in indexes.get((None, name), []):
            columns = [column for column in index["column_names"] if column is not None]
            if index["unique"] and columns not in unique:
                unique.append(columns)
        found[name] = unique
    return found


def _lockable(names: Sequence[str], references: Mapping[str, Sequence[Reference]]) -> list[str]:
    pointing = {ref.table for refs in references.values() for ref in refs if ref.schema is None}
    return sorted({*names, *pointing})
