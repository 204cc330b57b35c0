"""Which tables of the models can be seeded, by which natural key, and why the others cannot."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from seedrail.errors import SetupError
from seedrail.schema.tables import (
    SeedTable,
    check_schema,
    frozen_column,
    identity_of,
    is_generated,
    link_of,
)
from seedrail.schema.uniques import uniques_of

SEEDED, CAN, CANNOT = "seeded", "can be seeded", "cannot be seeded"
_UUID = "make its primary key one column of sqlalchemy.Uuid"
_NO_TYPE = "a seed table cannot hold the type"
_TYPE = "use a type that docs/seeding-your-own.md lists"
_LINK = "let it be one column that holds the other table's primary key, of sqlalchemy.Uuid"
_DEFAULT = "give it a server_default, or let it be NULL"
_KEY = "give it a unique constraint over columns that are NOT NULL: how a row is known again"


@dataclass(frozen=True)
class Column:
    """What is in the way of a column, or of the table where `name` is empty, and how it is mended."""

    name: str
    told: str
    mend: str


@dataclass(frozen=True)
class Seedable:
    """A table: whether seeds can fill it, by which natural keys, and what is in the way.

    `set` is the seed set that fills it. `volatile` are columns that seeds cannot hold, and can leave to the
    database: they are declared volatile. `reasons` are what stays in the way.
    """

    name: str
    state: str
    set: str
    keys: tuple[tuple[str, ...], ...]
    volatile: tuple[Column, ...]
    reasons: tuple[Column, ...]


def seedable(
    metadata: sa.MetaData | Sequence[sa.MetaData] | None, declared: Mapping[str, tuple[str, SeedTable]]
) -> tuple[Seedable, ...]:
    """The tables of the models by name; `declared` are the seed tables by name, each with its set."""
    every = [metadata] if isinstance(metadata, sa.MetaData) else metadata or ()
    tables = {table.key: table for one in every for table in one.tables.values()}
    return tuple(
        _seedable(table, *declared.get(table.name, ("", None))) for _, table in sorted(tables.items())
    )


def _seedable(table: sa.Table, set_: str, declared: SeedTable | None) -> Seedable:
    left = declared.volatile if declared else SeedTable(table, ()).volatile
    found = [*_columns(table, left), *_links(table, left)]
    empty = [*_left_empty(table, left)]
    volatile = [one for one in found if _may_be_left(table, one)]
    reasons = [*_whole(table), *empty, *(one for one in found if one not in volatile)]
    out = {name for one in found for name in one.name.split(",")}
    keys = (declared.key,) if declared else tuple(_keys(table, out | {*left}))
    if not keys:
        reasons.append(_no_key(table, out))
    state = SEEDED if declared else CANNOT if reasons else CAN
    return Seedable(str(table.key), state, set_, keys, tuple(volatile), tuple(reasons))


def _whole(table: sa.Table) -> Iterator[Column]:
    """What is in the way of the table as a whole."""
    for check, mend in ((lambda: check_schema(table, table.name), ""), (lambda: identity_of(table), _UUID)):
        try:
            check()
        except SetupError as error:
            yield _reason(table, "", error, mend)


def _columns(table: sa.Table, left: Iterable[str]) -> Iterator[Column]:
    for column in table.columns:
        if column.primary_key or column.name in left or is_generated(column):
            continue
        try:
            frozen_column(column, f"{table.name}.{column.name}")
        except SetupError as error:
            found = _reason(table, column.name, error)
            yield replace(found, mend=_TYPE) if found.told.startswith(_NO_TYPE) else found


def _left_empty(table: sa.Table, left: Iterable[str]) -> Iterator[Column]:
    """Columns that no seed writes, and the database neither."""
    for column in table.columns:
        if column.name in left and not is_generated(column) and not _fills(column):
            yield Column(column.name, "is left to the database, which has no value for it", _DEFAULT)


def _links(table: sa.Table, left: Iterable[str]) -> Iterator[Column]:
    for constraint in sorted(table.foreign_key_constraints, key=lambda one: tuple(one.column_keys)):
        names = [column.name for column in constraint.columns]
        if {*names} <= {*left, *(column.name for column in table.primary_key)}:
            continue
        try:
            link_of(constraint)
        except SetupError as error:
            yield _reason(table, ",".join(names), error, _LINK)


def _may_be_left(table: sa.Table, one: Column) -> bool:
    """Whether the database fills the columns by itself where no seed does."""
    return all(_fills(table.c[name]) for name in one.name.split(","))


def _fills(column: sa.Column[Any]) -> bool:
    """Whether a row may be inserted without the column; a `default` of Python's is none of the database's."""
    return bool(column.nullable) or column.server_default is not None


def _keys(table: sa.Table, out: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Columns that are NOT NULL, can be seeded, and have a unique constraint or index of their own."""
    for unique in uniques_of(table):
        columns = [table.c[name] for name in unique.columns]
        if unique.exact and not any(one.nullable or one.primary_key or one.name in out for one in columns):
            yield unique.columns


def _no_key(table: sa.Table, out: Iterable[str]) -> Column:
    """Why there is none: of a constraint that is nearly one, what it lacks."""
    for unique in uniques_of(table):
        columns = [table.c[name] for name in unique.columns]
        optional = [one.name for one in columns if one.nullable]
        if unique.exact and optional and not {*unique.columns} & {*out}:
            named = ", ".join(unique.columns)
            return Column(
                "", f"no natural key: of its unique columns ({named}) some may be NULL",
                f"make {' and '.join(optional)} NOT NULL",
            )  # fmt: skip
    return Column("", "no natural key: no unique constraint over columns that are NOT NULL", _KEY)


def _reason(table: sa.Table, name: str, error: SetupError, mend: str = "") -> Column:
    """What an error says of the table, without the name of the table, and its advice."""
    told, _, advice = str(error).partition("\n")
    for prefix in (f"{table.name}.{name}: ", f"{table.name}: "):
        told = told.removeprefix(prefix)
    return Column(name, told, " ".join(advice.split()) or mend)
