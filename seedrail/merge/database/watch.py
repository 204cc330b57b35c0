"""Triggers and rules: where they may act on what a move writes, and what they kept from arriving."""

from collections.abc import Sequence
from typing import Any

from alembic.runtime.migration import MigrationContext

from seedrail.dialects import dialect_named
from seedrail.errors import SeedError
from seedrail.merge.database.guards import stop_at, stop_if_any
from seedrail.merge.database.loads import rows_missed
from seedrail.merge.database.session import online
from seedrail.merge.ledger import TABLE_NAMES
from seedrail.quoting import shown


def refuse_interference(context: MigrationContext) -> None:
    """What the engine writes down for itself, and Alembic for it, must be what is read back."""
    version = context.version_table_schema, context.version_table
    own = [*((None, name) for name in sorted(TABLE_NAMES)), version]
    found = dialect_named(context.dialect.name).interfered(own, before=True)
    connection = online(context)
    if connection is None:
        stop_at(context, "triggers or rules on the tables that say what was applied", found)
        return
    names = list(connection.scalars(found))
    if names:
        raise SeedError(
            f"a trigger or rule acts on {', '.join(map(shown, names))}, where a run writes down what it did;"
            " nothing was written\n  drop it: no run could rely on what is written there"
        )


def is_watched(context: MigrationContext, tables: Sequence[str]) -> bool:
    """Whether triggers or rules may act on what is written to tables; a script cannot know."""
    connection = online(context)
    if connection is None:
        return True
    query = dialect_named(context.dialect.name).interfered([(None, name) for name in tables])
    return connection.execute(query).first() is not None


def refuse_missed(context: MigrationContext, table: str, verb: str, count: Any) -> None:
    """SeedError, or a guard of a script, where a count of rows that a write has left out is not 0."""
    connection = online(context)
    if connection is None:
        stop_if_any(context, f"rows of {table} that this {verb} left out, or that are not as it asks", count)
    elif connection.scalar(count):
        raise rows_missed(table, verb)
