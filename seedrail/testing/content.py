"""All rows of all tables as texts, and what differs between two times."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.merge.ledger import TABLE_NAMES
from seedrail.merge.write.bring_over import OLD_LEDGER
from seedrail.quoting import escaped, shown, whole
from seedrail.schema.tables import FrozenTable

Key = tuple[str | None, ...]


@dataclass(frozen=True)
class Rows:
    """A table's rows as texts, by primary key, or by all that they have and a number."""

    key: tuple[str, ...]
    by_key: Mapping[Key, Mapping[str, str | None]]


Content = Mapping[str, Rows]
"""Rows by table."""


def content_of(connection: Connection, without: Collection[str]) -> Content:
    """The rows of all tables that the database finds first, but the ledger and those left out."""
    metadata = sa.MetaData()
    with warnings.catch_warnings():
        # People's columns may be of types that SQLAlchemy does not know.
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        metadata.reflect(connection)
    left_out = {*without, *TABLE_NAMES, OLD_LEDGER.name}
    tables = [table for table in metadata.sorted_tables if table.name not in left_out]
    return {table.name: _rows(connection, table) for table in sorted(tables, key=lambda table: table.name)}


def _rows(connection: Connection, table: sa.Table) -> Rows:
    names, key = [column.name for column in table.columns], [column.name for column in table.primary_key]
    # SQLite's own literals tell a number from its text.
    text: Any = sa.func.quote if connection.dialect.name == "sqlite" else lambda c: sa.cast(c, sa.Text())
    found: dict[Key, Mapping[str, str | None]] = {}
    alike: Counter[Key] = Counter()
    for row in connection.execute(sa.select(*(text(table.c[name]) for name in names))):
        values = dict(zip(names, map(_plain, row), strict=True))
        place = tuple(values[name] for name in key)
        if not key:
            alike[tuple(values.values())] += 1
            place = (*values.values(), str(alike[tuple(values.values())]))
        found[place] = values
    return Rows(tuple(key), found)


def _plain(text: str | None) -> str | None:
    return None if text == "NULL" else text


def differences(
    before: Content, after: Content, tables: Mapping[str, FrozenTable], theirs: Content | None = None
) -> Iterator[str]:
    """A line for each row that is gone or new, and for each column that differs.

    Of rows that the seed brought, which are not among `theirs`, only the seeded columns count: the others
    begin anew with each life of the row.
    """
    nothing = Rows((), {})
    for name in sorted({*before, *after}):
        was, now = before.get(name, nothing), after.get(name, nothing)
        owned = was.by_key if theirs is None else theirs.get(name, nothing).by_key
        seeded = tables.get(name)
        for key in sorted({**was.by_key, **now.by_key}, key=repr):
            old, new = was.by_key.get(key), now.by_key.get(key)
            row = f"{shown(name)} {_named(old or new or {}, was.key or now.key, seeded)}"
            if old is None or new is None:
                yield f"{row} is {'new' if old is None else 'gone'}"
                continue
            counted = old if seeded is None or key in owned else {seeded.id, *seeded.columns}
            for column in (column for column in {**old, **new} if column in counted):
                one, other = old.get(column), new.get(column)
                if one != other:
                    yield f"{row}: {shown(column)} was {_said(one)}, is {_said(other)}"


def _named(row: Mapping[str, str | None], key: tuple[str, ...], seeded: FrozenTable | None) -> str:
    """A row by its natural key, if seeds have one for it, or else by its primary key."""
    names = (seeded.key if seeded else key) or tuple(row)
    return f"({', '.join(_said(row.get(name)) for name in names)})"


def _said(text: str | None) -> str:
    if text is None:
        return "NULL"
    # SQLite has quoted what is a text.
    return escaped(text) if text[:1] == "'" == text[-1:] else whole(text)
