"""Loads into empty tables: what needs no staging, because there is nothing that a row could differ from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.dialects import SeedDialect
from seedrail.history.changefile import Rank
from seedrail.merge.ledger import seed_claims
from seedrail.schema.tables import FrozenTable

IDS_AT_HAND = 10_000
"""How many rows a table may have for optional links into it to be looked up in memory."""

Links = Mapping[str, frozenset[str]]
"""For each column with an optional link, the ids that it may hold."""


def links_into_empty_tables(
    connection: Connection, dialect: SeedDialect, tables: Sequence[FrozenTable]
) -> dict[str, Links] | None:
    """The optional links of tables that a move from nothing may load as they are; None if it may not.

    It may where every table is empty, the ledger remembers nothing of them, and all that their rows
    need comes with them: the rows of a seed state fit together.
    """
    names = {table.name for table in tables}
    keys = [key for table in tables for key in table.foreign_keys.values()]
    if any((key.table in names) == key.optional for key in keys):
        return None
    if not dialect.loads_at_once(connection, sorted(names)) or _remembers(connection, names):
        return None
    if any(_has_rows(connection, sa.table(name)) for name in sorted(names)):
        return None
    known = {(key.table, key.column) for key in keys if key.optional}
    ids = {where: _ids(connection, *where) for where in sorted(known)}
    if any(len(found) > IDS_AT_HAND for found in ids.values()):
        return None
    return {
        table.name: {
            column: ids[key.table, key.column] for column, key in table.foreign_keys.items() if key.optional
        }
        for table in tables
    }


def passes(tables: Iterable[FrozenTable], rank: Rank) -> Iterator[set[str]]:
    """The tables to load in each pass over rows that are sorted by their tables' ranks, parents first."""
    waiting = sorted(tables, key=lambda table: rank(table.name))
    names, loaded = {table.name for table in waiting}, set[str]()
    while waiting:
        now: set[str] = set()
        for table in waiting:
            parents = {key.table for key in table.foreign_keys.values()} & names - {table.name}
            if parents <= loaded | now:
                now.add(table.name)
        yield now
        loaded |= now
        waiting = [table for table in waiting if table.name not in loaded]


def _has_rows(connection: Connection, table: sa.TableClause) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None


def _remembers(connection: Connection, names: Iterable[str]) -> bool:
    found = sa.select(seed_claims.c.seed_id).where(seed_claims.c.table_name.in_(sorted(names)))
    return connection.execute(found.limit(1)).first() is not None


def _ids(connection: Connection, table: str, column: str) -> frozenset[str]:
    id_ = sa.column(column, sa.Uuid())
    rows = connection.execute(sa.select(id_).select_from(sa.table(table)).limit(IDS_AT_HAND + 1))
    return frozenset(str(row[0]) for row in rows)
