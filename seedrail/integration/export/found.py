"""People's edits with the values that the database now holds, to be written elsewhere than in a report."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.history.rail import Rail
from seedrail.merge.plan import Plan
from seedrail.merge.report.differing import DifferentRow
from seedrail.merge.report.drift import Comparison, compared, kinds_of


@dataclass(frozen=True)
class RowAsFound:
    """A row that differs, the revision whose seed it is compared with, and what its columns hold now.

    `raw` are values as the dialect's `raw` gives them; none of a row that is gone, or that is not the seed's.
    """

    differs: DifferentRow
    revision: str
    raw: Mapping[str, Any] = field(default_factory=dict)


def rows_as_found(connection: Connection, rail: Rail, *, quiet: bool = True) -> list[RowAsFound]:
    """Each row that differs from the seed in the sets that are applied; SeedError as of `different_rows`."""
    return compared(connection, rail, lambda one, progress: one.read(progress, _read), quiet=quiet)


def _read(comparison: Comparison, plan: Plan) -> Iterator[RowAsFound]:
    found = {table.name: _values(comparison, plan, table.name) for table in plan.tables if table.touched}
    for row in comparison.rows_of(plan):
        raw = found.get(row.table, {}).get(row.id, {})
        yield RowAsFound(row, comparison.revision, raw)


def _values(comparison: Comparison, plan: Plan, name: str) -> dict[str, dict[str, Any]]:
    """The columns of a table's rows that differ, by seed id."""
    table = plan.staged(name)
    if table is None:
        return {}
    differing = kinds_of(name).subquery("differing")
    columns = [comparison.dialect.raw(table.live.c[column]) for column in table.columns]
    rows = (
        sa.select(table.stage.c.seed_id, *columns)
        .join_from(table.stage, differing, differing.c.seed_id == table.stage.c.seed_id)
        .join(table.live, table.live_id == table.stage.c.live_id)
    )
    return {
        str(id_): dict(zip(table.columns, values, strict=True))
        for id_, *values in comparison.connection.execute(rows)
    }
