"""Apply: the writes, in an order that every key and constraint allows, between two looks at the ledger."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import seed_ledger
from seedrail.merge.program.parking import park
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    entries,
    equal,
    given_back,
    pre_image,
)
from seedrail.merge.program.references import unheld
from seedrail.merge.program.remember import forget, remember
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy


def apply(plan: Plan) -> Iterator[Statement]:
    """The statements: parents come before children, and children go before parents."""
    for table in plan.tables:
        yield from remember(plan, table)
    for table in plan.tables:
        yield from park(plan, table)
    for table in plan.tables:
        if table.has("insert"):
            yield from _insert(plan, table)
    for table in plan.tables:
        if table.has("update") and table.updated:
            yield _update(plan, table)
    for table in reversed(plan.tables):
        if table.has("delete"):
            if plan.may("known", table.name):
                yield from _give_back(plan, table)
            yield _delete(table)
    for table in plan.tables:
        if plan.may("known", table.name):
            yield from forget(plan, table)


def _insert(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    stage, live = table.inserts, table.live
    names = [table.frozen.id, *table.columns]
    rows = sa.select(stage.c.seed_id, *(stage.c["n_" + name] for name in table.columns))
    yield Statement(
        sa.insert(live).from_select(names, rows.where(stage.c.outcome.is_(None))),
        ("inserted", table.name),
    )
    if plan.policy is Policy.OVERWRITE:
        values = {name: stage.c["n_" + name] for name in table.columns}
        yield Statement(
            sa.update(live)
            .values(values)
            .where(table.live_id == stage.c.live_id, stage.c.outcome == "adopted")
        )
    if plan.upgrade or not plan.may("known", table.name):
        return
    for name in table.columns:
        taken = entries(table, stage.c.seed_id, ["changed"], name)
        before = equal(plan, table, name, pre_image(plan, table, name, taken))
        released = table.live_id == stage.c.live_id, stage.c.outcome == "released", taken.exists(), before
        yield from _set(plan, table, stage, name, stage.c["n_" + name], *released)
    for name in plan.unseeded.get(table.name, {}):
        lost = entries(table, stage.c.seed_id, ["overwritten"], name).where(
            seed_ledger.c.position > plan.target
        )
        back = live.c[table.frozen.id] == stage.c.seed_id, lost.exists()
        yield from _set(plan, table, stage, name, pre_image(plan, table, name, lost), *back)


def _update(plan: Plan, table: StagedTable) -> Statement:
    stage = table.updates
    names = sorted(table.updated)
    values = {
        name: sa.case((stage.c["r_" + name].is_not(None), stage.c["n_" + name]), else_=table.live.c[name])
        for name in names
    }
    changed = sa.or_(
        *(
            sa.and_(stage.c["r_" + name].is_not(None), ~equal(plan, table, name, stage.c["n_" + name]))
            for name in names
        )
    )
    return Statement(
        sa.update(table.live)
        .values(values)
        .where(table.live_id == stage.c.live_id, stage.c.outcome.is_(None), changed),
        ("updated", table.name),
    )


def _give_back(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Rows that stay get back what the seed changed in them, where nobody changed it since."""
    stage = table.deletes
    kinds = [("adopted", ["changed"])]
    if not plan.upgrade:
        kinds.append(("kept", ["overwritten"]))
    for name in table.columns:
        for outcome, kept in kinds:
            before = entries(table, stage.c.seed_id, kept, name)
            value, conditions = given_back(plan, table, name, pre_image(plan, table, name, before))
            ours = table.live_id == stage.c.live_id, equal(plan, table, name, stage.c["o_" + name])
            held = unheld(plan, table, name)
            theirs = stage.c.outcome == outcome, before.exists()
            yield from _set(plan, table, stage, name, value, *ours, *theirs, *conditions, *held)


def _set(
    plan: Plan, table: StagedTable, stage: sa.Table, name: str, value: Any, *where: ColumnElement[bool]
) -> Iterator[Statement]:
    """Set a column of some rows; asked again, no row may be left that the write would change."""
    column = table.live.c[name]
    yield Statement(sa.update(table.live).values({name: value}).where(*where))
    if plan.watched:
        # As texts: an unseeded column may be of a type that has no equality.
        differs = ~plan.dialect.same(plan.dialect.text(column), plan.dialect.text(value))
        left = sa.select(sa.func.count()).select_from(table.live.join(stage, sa.true()))
        yield Statement(left.where(*where, differs), missed=(table.name, "update"))


def _delete(table: StagedTable) -> Statement:
    stage = table.deletes
    ours = sa.select(stage.c.live_id).where(stage.c.outcome.is_(None))
    return Statement(sa.delete(table.live).where(table.live_id.in_(ours)), ("deleted", table.name))
