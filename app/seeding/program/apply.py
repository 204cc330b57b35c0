"""Apply: the writes, in an order that every key and constraint allows, between two looks at the ledger."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from app.seeding.ledger import seed_ledger
from app.seeding.options import Policy
from app.seeding.program.parts import (
    Plan,
    Statement,
    entries,
    equal,
    given_back,
    pre_image,
)
from app.seeding.program.references import unheld
from app.seeding.program.remember import forget, remember
from app.seeding.stage import StagedTable


def apply(plan: Plan) -> Iterator[Statement]:
    """The statements: parents come before children, and children go before parents."""
    for table in plan.tables:
        yield from remember(plan, table)
    for table in plan.tables:
        yield from _park(plan, table)
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


def _park(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Take rows that change a unique value, or go, out of the way of those that want the same value.

    Two rows that swap a unique value would otherwise collide half-way. The seed id is a value that no other
    row has; where the column cannot hold it, NULL is one that collides with nothing.
    """
    for columns in plan.uniques.get(table.name, ()):
        name = _parking_column(table, columns)
        if name is None:
            continue
        for kind in ("insert", "update", "delete"):
            if not table.has(kind):
                continue
            if kind == "delete" and not (table.has("insert") or table.has("update")):
                continue
            stage = table.by_kind(kind)
            moving = _moves(plan, table, kind, stage, columns)
            if moving is None:
                continue
            kind_of = table.frozen.columns[name].type.kind
            value: Any = sa.cast(stage.c.seed_id, sa.Text())
            if kind_of not in ("string", "text"):
                value = sa.null()
            yield Statement(
                sa.update(table.live)
                .values({name: value})
                # A value that rows point by is not changed, not even for a moment.
                .where(table.live_id == stage.c.live_id, *moving, *unheld(plan, table, name))
            )


def _parking_column(table: StagedTable, columns: Any) -> str | None:
    """The column of a unique constraint that can be moved out of the way."""
    for name in columns:
        column = table.frozen.columns.get(name)
        if column is None or name in table.frozen.foreign_keys or name not in table.columns:
            continue
        wide = column.type.kind == "text" or (column.type.length or 0) >= 36
        if wide or column.nullable:
            return str(name)
    return None


def _moves(
    plan: Plan, table: StagedTable, kind: str, stage: sa.Table, columns: Any
) -> list[ColumnElement[bool]] | None:
    """Conditions for a row that is about to leave its unique value; None when no row does."""
    seeded = [name for name in columns if name in table.columns]
    if kind == "delete":
        # Natural keys do not come back under another seed id: only other constraints can be in the way.
        if set(columns) == set(table.frozen.key):
            return None
        return [stage.c.outcome.is_(None)]
    if kind == "update":
        changed = [stage.c["r_" + name].is_not(None) for name in seeded if name in table.updated]
        return [stage.c.outcome.is_(None), sa.or_(*changed)] if changed else None
    if plan.policy is not Policy.OVERWRITE:
        return None
    differs = [~equal(plan, table, name, stage.c["n_" + name]) for name in seeded]
    return [stage.c.outcome == "adopted", sa.or_(*differs)]


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
        yield Statement(
            sa.update(live)
            .values({name: stage.c["n_" + name]})
            .where(
                table.live_id == stage.c.live_id,
                stage.c.outcome == "released",
                taken.exists(),
                before,
            )
        )
    for name in plan.unseeded.get(table.name, {}):
        lost = entries(table, stage.c.seed_id, ["overwritten"], name).where(
            seed_ledger.c.position > plan.target
        )
        yield Statement(
            sa.update(live)
            .values({name: pre_image(plan, table, name, lost)})
            .where(live.c[table.frozen.id] == stage.c.seed_id, lost.exists())
        )


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
    stage, live = table.deletes, table.live
    kinds = [("adopted", ["changed"])]
    if not plan.upgrade:
        kinds.append(("kept", ["overwritten"]))
    for name in table.columns:
        for outcome, kept in kinds:
            before = entries(table, stage.c.seed_id, kept, name)
            value, conditions = given_back(plan, table, name, pre_image(plan, table, name, before))
            yield Statement(
                sa.update(live)
                .values({name: value})
                .where(
                    table.live_id == stage.c.live_id,
                    stage.c.outcome == outcome,
                    before.exists(),
                    equal(plan, table, name, stage.c["o_" + name]),
                    *conditions,
                    *unheld(plan, table, name),
                )
            )


def _delete(table: StagedTable) -> Statement:
    stage = table.deletes
    ours = sa.select(stage.c.live_id).where(stage.c.outcome.is_(None))
    return Statement(sa.delete(table.live).where(table.live_id.in_(ours)), ("deleted", table.name))
