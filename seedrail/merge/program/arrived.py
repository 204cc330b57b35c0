"""Arrived: a look, after the writes, for what did not come of them; each count must be 0.

A trigger or a rule may drop a row's insert, update or delete without an error, or write something else than
was asked.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.program.parts import Plan, Statement, equal
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy


def arrived(plan: Plan) -> Iterator[Statement]:
    """How many staged rows of each kind are not as they were written.

    Where nothing watches the tables, the inserts' row counts say the same for less.
    """
    for table in plan.tables:
        if table.has("insert") and plan.watched:
            yield _count(table, "insert", _not_inserted(plan, table))
        if table.has("update") and table.updated:
            yield _count(table, "update", _not_updated(plan, table))
        if table.has("delete"):
            yield _count(table, "delete", _not_deleted(table))


def _count(table: StagedTable, kind: str, missed: ColumnElement[bool]) -> Statement:
    stage = table.by_kind(kind)
    count = sa.select(sa.func.count()).select_from(stage).where(missed)
    return Statement(count, missed=(table.name, kind))


def _not_inserted(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    stage = table.inserts
    same = [equal(plan, table, name, stage.c["n_" + name]) for name in table.columns]
    new = sa.and_(stage.c.outcome.is_(None), ~sa.exists().where(table.live_id == stage.c.seed_id, *same))
    if plan.policy is not Policy.OVERWRITE:
        return new
    # Rows that were there first got the seed's values.
    taken = sa.exists().where(table.live_id == stage.c.live_id, *same)
    return sa.or_(new, sa.and_(stage.c.outcome == "adopted", ~taken))


def _not_updated(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    stage, names = table.updates, sorted(table.updated)
    changed = {name: stage.c["r_" + name].is_not(None) for name in names}
    same = [sa.or_(~changed[name], equal(plan, table, name, stage.c["n_" + name])) for name in names]
    there = sa.exists().where(table.live_id == stage.c.live_id, *same)
    return sa.and_(stage.c.outcome.is_(None), sa.or_(*changed.values()), ~there)


def _not_deleted(table: StagedTable) -> ColumnElement[bool]:
    stage = table.deletes
    return sa.and_(stage.c.outcome.is_(None), sa.exists().where(table.live_id == stage.c.live_id))
