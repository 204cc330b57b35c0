"""Rows of a table that inherits from a seed table, which statements on that one meet as if they were its own.

No unique key spans both, so that an id may be there twice; and what such a row has in columns of its own is
seen by nobody. So a move does not write to these rows.
"""

from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail.errors import SeedError
from seedrail.merge.database.guards import stop_if_any
from seedrail.merge.database.session import online
from seedrail.merge.plan import Plan
from seedrail.merge.stage import DELETE, UPDATE, StagedTable
from seedrail.quoting import shown


def refuse_inherited(context: MigrationContext, plan: Plan) -> None:
    """SeedError, or a guard of a script, where a move would write to rows of tables that inherit."""
    connection = online(context)
    names = [table.name for table in plan.tables]
    has_heirs = None if connection is None else plan.dialect.inherited(connection, names)
    for table in plan.tables:
        inherits = plan.dialect.stored_by_heir(table.live)
        if inherits is None or (has_heirs is not None and table.name not in has_heirs):
            continue
        for action in (UPDATE, DELETE):
            count = _count(table, action, inherits)
            if connection is None:
                stop_if_any(context, f"rows of tables that inherit from {table.name} to {action}", count)
            elif connection.scalar(count):
                raise SeedError(
                    f"{shown(table.name)}: rows that the seed would change or delete are rows of a table that"
                    " inherits from it, which may have more of them than the seed sees; nothing was written\n"
                    "  move them to the table itself, or take the inheritance away"
                    " (ALTER TABLE … NO INHERIT)"
                )


def _count(table: StagedTable, action: str, inherits: sa.ColumnElement[bool]) -> sa.Select[Any]:
    stage = table.stage
    found = sa.select(sa.func.count()).select_from(stage).join(table.live, table.live_id == stage.c.live_id)
    return found.where(inherits, stage.c.action == action)
