"""What a move would write, read where it was decided: rows and cells, before and after, and its conflicts.

The statements that write take the same rows from the same staging tables, and the same conditions.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from seedrail.history.rownames import RowNames
from seedrail.merge.plan import Plan, equal
from seedrail.merge.report.answers import Entry
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable

CHUNK = 5_000
"""Rows whose names are looked up at once: each time is a pass over the change files."""


@dataclass(frozen=True)
class CellChange:
    """A column before and after, as the database writes it; None is NULL, or that there is no row."""

    column: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class RowChange:
    """What happens to one live row: it is inserted, updated or deleted.

    `row` is its natural key, `id` its seed id, and `live_id` its primary key, which is another if the row was
    somebody's.
    """

    table: str
    action: str
    id: str
    live_id: str
    row: Any
    cells: tuple[CellChange, ...]


@dataclass(frozen=True)
class Outcome:
    """What one move would do.

    `counts` are by what happens and table, as a run logs them; `conflicts` all that a policy is asked about.
    Where some of them are `undecided`, the run is refused, and the rest says what `keep` would do.
    """

    source: str
    target: str
    counts: Counter[tuple[str, str]]
    conflicts: tuple[Entry, ...] = ()
    undecided: int = 0
    rows: tuple[RowChange, ...] = ()


def changes(plan: Plan, table: StagedTable) -> sa.Select[Any]:
    """The staged rows that would be written: their action, ids, and each column before and after."""
    stage, live, text = table.stage, table.live, plan.dialect.text
    comes, goes = stage.c.action == INSERT, stage.c.action == DELETE
    cells: list[ColumnElement[Any]] = []
    for name in table.columns:
        # A row that comes has no cells before, whatever stands under its id.
        cells.append(sa.case((comes, sa.null()), else_=text(live.c[name])))
        written = sa.case((comes, stage.c["n_" + name]), (_set(plan, table, name), stage.c["n_" + name]))
        kept = sa.case((sa.or_(comes, _set(plan, table, name)), sa.null()), else_=live.c[name])
        cells.append(sa.case((goes, sa.null()), else_=sa.func.coalesce(text(written), text(kept))))
    ids = stage.c.action, stage.c.seed_id, stage.c.live_id
    rows = sa.select(*ids, *cells).select_from(stage)
    rows = rows.outerjoin(live, table.live_id == stage.c.live_id)
    return rows.where(_happens(plan, table)).order_by(stage.c.seed_id)


def _set(plan: Plan, table: StagedTable, name: str) -> ColumnElement[bool]:
    """Whether an update gives a column another value."""
    stage, live = table.stage, table.live
    if name not in table.writable:
        return sa.false()
    is_set = sa.and_(stage.c.action == UPDATE, stage.c["r_" + name].is_not(None))
    return sa.and_(is_set, ~equal(plan, table, name, live.c[name], stage.c["n_" + name]))


def _happens(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    stage = table.stage
    there = table.live_id.is_not(None)
    updates = sa.or_(*(_set(plan, table, name) for name in table.writable), sa.false())
    return sa.case(
        (stage.c.action == INSERT, sa.true()),
        (stage.c.action == DELETE, there),
        (stage.c.action == UPDATE, sa.and_(there, updates)),
        else_=sa.false(),
    )


WORDS = {INSERT: "inserted", UPDATE: "updated", DELETE: "deleted"}


def counted(connection: Connection, plan: Plan) -> Counter[tuple[str, str]]:
    """How many rows of each table would be inserted, updated and deleted."""
    found: Counter[tuple[str, str]] = Counter()
    for table in plan.tables:
        rows = sa.select(table.stage.c.action, sa.func.count()).select_from(table.stage)
        rows = rows.outerjoin(table.live, table.live_id == table.stage.c.live_id)
        for action, count in connection.execute(
            rows.where(_happens(plan, table)).group_by(table.stage.c.action)
        ):
            found[WORDS[action], table.name] += count
    return found


def read_changes(connection: Connection, plan: Plan, names: RowNames) -> Iterator[RowChange]:
    """The rows that would be written, table by table, parents first, by their names."""
    for table in plan.tables:
        found = list(connection.execute(changes(plan, table)))
        names.learn((table.name, str(row[1])) for row in found)
        rows = [_row(table, names, row) for row in found]
        yield from sorted(rows, key=lambda row: (names(table.name, row.id), row.id))


def _row(table: StagedTable, names: RowNames, found: Sequence[Any]) -> RowChange:
    action, seed_id, live_id, *values = found
    pairs = zip(table.columns, values[::2], values[1::2], strict=True)
    cells = tuple(CellChange(name, before, after) for name, before, after in pairs if before != after)
    id_ = str(seed_id)
    live = id_ if action == INSERT or live_id is None else str(live_id)
    return RowChange(table.name, action, id_, live, names.words(table.name, id_), cells)


def composed(stretches: Sequence[Sequence[RowChange]]) -> list[RowChange]:
    """What several moves, one after the other, come to for each live row."""
    found: dict[tuple[str, str], RowChange] = {}
    for rows in stretches:
        for row in rows:
            key = row.table, row.live_id
            before = found.pop(key, None)
            one = row if before is None else _both(before, row)
            if one is not None:
                found[key] = one
    return list(found.values())


def _both(first: RowChange, then: RowChange) -> RowChange | None:
    """Two changes of one row as one, or None where they come to nothing."""
    before = {cell.column: cell.before for cell in first.cells}
    after = {cell.column: cell.after for cell in first.cells}
    for cell in then.cells:
        before.setdefault(cell.column, cell.before)
        after[cell.column] = cell.after
    cells = tuple(
        CellChange(name, before[name], after[name]) for name in before if before[name] != after[name]
    )
    comes, goes = first.action == INSERT, then.action == DELETE
    if (comes and goes) or (not cells and not comes and not goes):
        return None
    action = INSERT if comes else DELETE if goes else UPDATE
    return replace(then, action=action, cells=cells)
