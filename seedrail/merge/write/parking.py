"""Parking: rows that hold a unique value which another staged row wants make way for it first.

Databases check a unique key row by row: two rows that swap a value, or a chain of them, would collide
half-way. So each such row holds, for a moment, a value that no row has or wants.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.decide.links import unheld
from seedrail.merge.plan import Plan, Statement
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable
from seedrail.merge.write.spare import spare_values
from seedrail.schema.uniques import Unique

WIDE = 36
"""The length from which a text holds a seed id, which no other row has."""


def park(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The statements, for each unique key and each of its columns that can be parked, easiest first."""
    for unique in plan.uniques.get(table.name, ()):
        wanted = _wanted(plan, table, unique)
        if wanted is None:
            continue
        for name in _columns(table, unique):
            movers = _movers(plan, table, unique, name, wanted)
            if movers is not None:
                yield _park(plan, table, unique, name, movers, wanted)


def _columns(table: StagedTable, unique: Unique) -> list[str]:
    """The columns that can hold a spare value; a link leads to a row or nowhere."""
    ranked = [
        (rank, name)
        for name in unique.columns
        if name in table.columns
        if (rank := _rank(table, name, unique)) is not None
    ]
    return [name for _, name in sorted(ranked)]


_RANKS = {"integer": 3, "decimal": 3, "float": 3, "timestamp": 3, "date": 3, "string": 4, "text": 4}


def _rank(table: StagedTable, name: str, unique: Unique) -> int | None:
    """How easily a column is parked; None where it cannot be."""
    column, key = table.frozen.columns[name], table.frozen.foreign_keys.get(name)
    if key is not None:
        # An empty link that is optional counts as unchanged.
        return 5 if column.nullable and unique.nulls_distinct and not key.optional else None
    if column.nullable and unique.nulls_distinct:
        return 0
    if is_wide(table, name):
        return 1
    return 2 if column.type.kind == "uuid" else _RANKS.get(column.type.kind)


def is_wide(table: StagedTable, name: str) -> bool:
    """Whether a column holds any seed id as text."""
    type_ = table.frozen.columns[name].type
    return type_.kind == "text" or (type_.kind == "string" and (type_.length or WIDE) >= WIDE)


def _wanted(plan: Plan, table: StagedTable, unique: Unique) -> sa.CTE | None:
    """The values of a unique key that staged rows shall have, where any may be new to its row."""
    live, stage = table.live, table.stage
    columns = [name for name in unique.columns if name in table.columns]
    found: list[sa.Select[Any]] = []
    if table.may(INSERT):
        coming = sa.select(stage.c.seed_id, *(stage.c["n_" + name].label(name) for name in columns))
        found.append(coming.where(stage.c.action == INSERT))
    changed = [name for name in unique.columns if name in table.writable]
    if table.may(UPDATE) and changed:
        values = [
            sa.case((stage.c["r_" + name].is_not(None), stage.c["n_" + name]), else_=live.c[name]).label(name)
            for name in columns
        ]
        found.append(
            sa.select(stage.c.seed_id, *values)
            .join(live, table.live_id == stage.c.live_id)
            .where(stage.c.action == UPDATE, _changes(stage, changed))
        )
    return sa.union_all(*found).cte("wanted") if found and columns else None


def _changes(stage: sa.Table, names: list[str]) -> ColumnElement[bool]:
    return sa.or_(*(stage.c["r_" + name].is_not(None) for name in names))


def _movers(plan: Plan, table: StagedTable, unique: Unique, name: str, wanted: sa.CTE) -> sa.CTE | None:
    """Rows that are about to leave a unique value, in a column that they change, which another one wants."""
    live, stage, moving = table.live, table.stage, list(_moving(table, unique, name))
    if not moving:
        return None
    rows = sa.select(table.live_id.label("id"), stage.c.seed_id, live.c[name].label("held"))
    rows = rows.join_from(stage, live, table.live_id == stage.c.live_id)
    # A value that rows point by is not changed, not even for a moment.
    rows = rows.where(sa.or_(*moving), *unheld(plan, table, name))
    if unique.exact:
        # By the column's own collation, as its unique key compares.
        same = [live.c[column] == wanted.c[column] for column in unique.columns if column in wanted.c]
        rows = rows.join(wanted, sa.and_(wanted.c.seed_id != stage.c.seed_id, *same)).distinct()
    return rows.cte("movers")


def _moving(table: StagedTable, unique: Unique, name: str) -> Iterator[ColumnElement[bool]]:
    """Conditions for a row that leaves its value."""
    stage = table.stage
    # A natural key, too: it may come back under another seed id, in another case or of another declaration.
    if table.may(DELETE):
        yield stage.c.action == DELETE
    if table.may(UPDATE) and name in table.writable:
        # A column that the row does not change would keep what it is parked at.
        yield sa.and_(stage.c.action == UPDATE, _changes(stage, [name]))


def _park(
    plan: Plan, table: StagedTable, unique: Unique, name: str, movers: sa.CTE, wanted: sa.CTE
) -> Statement:
    column = table.frozen.columns[name]
    rows: Any = movers
    value: Any
    if column.nullable and unique.nulls_distinct:
        value = sa.null()
    elif column.type.kind == "uuid":
        value = movers.c.seed_id
    elif is_wide(table, name):
        value = sa.cast(movers.c.seed_id, sa.Text())
    else:
        rows = spare_values(plan.dialect, table, name, movers, wanted, exact=unique.exact)
        value = rows.c.spare
    return Statement(sa.update(table.live).values({name: value}).where(table.live_id == rows.c.id))
