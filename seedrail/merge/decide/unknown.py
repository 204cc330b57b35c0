"""What a script cannot know of the tables that it deletes rows from, and stops at.

An online run compares every column of a row that it deletes, so that nobody's value goes with it. A script
knows the columns that its change files froze, and those that came to the models later; others may hold what
they like.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail.dialects import SeedDialect
from seedrail.merge.database.guards import stop_at, stop_if_any
from seedrail.merge.plan import Plan
from seedrail.merge.stage import DELETE, StagedTable
from seedrail.schema.defaults import constant_default
from seedrail.schema.tables import is_generated

Models = Mapping[str, sa.Table]
"""The seed tables as today's models have them."""


def guard_columns(
    context: MigrationContext, dialect: SeedDialect, tables: Iterable[StagedTable], models: Models
) -> None:
    """Stop where a table that rows are deleted from has columns that neither its seeds nor its model know."""
    known = {table.name: _known(table, models) for table in tables if table.counts[DELETE]}
    if known:
        what = "columns that the models do not know where rows are deleted (an online run looks at them)"
        stop_at(context, what, dialect.unknown_columns(known))


def guard_later_columns(context: MigrationContext, plan: Plan, models: Models) -> None:
    """Stop where a row that goes has its own value in a column that came after its seeds."""
    for table in plan.tables:
        if not table.counts[DELETE]:
            continue
        for column, default in _later(context, plan, table, models):
            what = f"rows to delete with a value of somebody's in {table.name}.{column.name}"
            stop_if_any(context, what, _edited(plan, table, column, default))


def _frozen(table: StagedTable) -> set[str]:
    frozen = table.frozen
    return {frozen.id, *frozen.columns, *frozen.volatile, *frozen.defaults}


def _known(table: StagedTable, models: Models) -> set[str]:
    model = models.get(table.name)
    return _frozen(table) | (set() if model is None else set(model.columns.keys()))


def _later(
    context: MigrationContext, plan: Plan, table: StagedTable, models: Models
) -> Iterator[tuple[sa.Column[Any], str]]:
    """Columns of the model that the seeds did not freeze, with their defaults as SQL."""
    model = models.get(table.name)
    for column in () if model is None else model.columns:
        if column.name in _frozen(table) or is_generated(column):
            continue
        default = constant_default(plan.dialect.default(_default(context, plan, column)))
        if default is not None:
            yield column, default


def _default(context: MigrationContext, plan: Plan, column: sa.Column[Any]) -> str | None:
    """A column's server default as SQL; None where it has none."""
    default = column.server_default
    if not isinstance(default, sa.DefaultClause):
        return None
    if isinstance(default.arg, str):
        return plan.dialect.literal(default.arg)
    compiled = default.arg.compile(dialect=context.dialect, compile_kwargs={"literal_binds": True})
    return str(compiled)


def _edited(plan: Plan, table: StagedTable, column: sa.Column[Any], default: str) -> sa.Select[Any]:
    """How many rows that go have another value in a column, or 0 where the live table has no such column.

    The schema revision that brings the column may not have been applied. So the column is named without its
    table: where that has none, the name is found in the query around, which offers the default.
    """
    stage = table.stage
    name: Any = sa.column(column.name, column.type)
    going = sa.select(stage.c.live_id).where(stage.c.action == DELETE)
    live = sa.table(table.name, sa.column(table.frozen.id, sa.Uuid()))
    differs: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(live)
    differs = differs.where(live.c[table.frozen.id].in_(going), ~plan.dialect.holds(name, default))
    offered = plan.dialect.given(name, default).label(column.name)
    around = sa.select(offered).subquery("seed_default")
    return sa.select(sa.func.count()).select_from(around).where(differs.correlate(None).exists())
