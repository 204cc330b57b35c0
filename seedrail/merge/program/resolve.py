"""Resolve: find each staged row's live row, adopt those that are there already, follow adopted parents."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import seed_ledger
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    adopted,
    adopted_as,
    analyzed,
    conflict,
    entries,
    into_ledger,
    pre_image,
)
from seedrail.merge.program.standins import expect_stand_ins, recall_stand_ins, stand_in
from seedrail.merge.stage import StagedTable


def resolve(plan: Plan) -> Iterator[Statement]:
    """The statements, parents before children: a child's natural key may hold its parent's id."""
    for table in plan.tables:
        if plan.may("known", table.name):
            yield from _identify(table)
        if table.reviving:
            yield from _revive(plan, table)
        if plan.may("known", table.name):
            yield from expect_stand_ins(plan, table)
        if not plan.upgrade and plan.may("known", table.name):
            yield from recall_stand_ins(plan, table)
            yield from _recall(plan, table)
        yield from _follow(plan, table, own=False)
        yield from _match(plan, table)
        yield from _follow(plan, table, own=True)
        if plan.upgrade:
            yield from stand_in(plan, table)
        yield from _drop_missing_links(plan, table)
        if plan.may("known", table.name) or plan.may("met", table.name):
            yield from analyzed(plan, table, "insert", "update", "delete")


def _identify(table: StagedTable) -> Iterator[Statement]:
    """Rows that the ledger knows under another live id, because they were adopted."""
    for kind in ("update", "delete"):
        if table.has(kind):
            stage = table.by_kind(kind)
            live_id, was = adopted_as(table.name, stage.c.seed_id)
            values: dict[str, Any] = {"live_id": live_id}
            if kind == "delete":
                values["outcome"] = "adopted"
            # An owner's row that was deleted and then brought back is the seed's, under its seed id.
            theirs = sa.exists().where(table.live_id == live_id)
            ours = sa.exists().where(table.live_id == stage.c.seed_id)
            yield Statement(sa.update(stage).values(values).where(was, sa.or_(theirs, ~ours)))


def _revive(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Updates of rows that are gone become inserts; on the way down, deletes again."""
    stage, whole = table.updates, table.revivals
    there = sa.exists().where(table.live_id == stage.c.live_id)
    before = entries(table, stage.c.seed_id, ["revived"]).where(seed_ledger.c.position > plan.target)
    again = ~there if plan.upgrade else before.exists()
    yield Statement(sa.update(stage).values(outcome="revived").where(again))
    yield from map(Statement, plan.dialect.analyze([stage, whole]))
    revived = sa.select(stage).where(stage.c.outcome == "revived")
    if plan.upgrade:
        entry = {"seed_id": stage.c.seed_id, "position": stage.c.position}
        yield Statement(into_ledger(table, revived, outcome="revived", **entry))
        yield conflict(plan, "deleted", table, "", revived, None, None)
    kind, prefix = ("insert", "n_") if plan.upgrade else ("delete", "o_")
    live_id: ColumnElement[Any] = sa.null() if plan.upgrade else stage.c.live_id
    names = ["seed_id", "live_id", "position", *(prefix + name for name in table.columns)]
    values = [stage.c.seed_id, live_id, stage.c.position, *(whole.c["n_" + name] for name in table.columns)]
    rows = revived.join(whole, whole.c.seed_id == stage.c.seed_id).with_only_columns(*values)
    yield Statement(sa.insert(table.by_kind(kind)).from_select(names, rows))


def _recall(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """On the way down: what the way up did not do is not undone, and what it overwrote comes back."""
    taken_back = seed_ledger.c.position > plan.target
    if table.has("insert"):
        yield from _recall_inserts(plan, table)
    if not table.has("update"):
        return
    stage = table.updates
    absent = entries(table, stage.c.seed_id, ["absent"]).where(taken_back)
    yield Statement(sa.update(stage).values(outcome="absent").where(absent.exists()))
    for name in sorted(table.updated):
        changed = stage.c["r_" + name]
        before = entries(table, stage.c.seed_id, ["same", "kept", "overwritten"], name).where(taken_back)
        yield Statement(
            sa.update(stage)
            .values({"n_" + name: pre_image(plan, table, name, before)})
            .where(changed.is_not(None), before.exists())
        )
        # The seed's last word on this column was never written: what is there is not its own.
        unwritten = entries(table, stage.c.seed_id, ["same", "kept"], name).where(
            seed_ledger.c.position == changed
        )
        yield Statement(sa.update(stage).values({changed.name: None}).where(unwritten.exists()))


def _recall_inserts(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Rows that the way up meant to delete: gone before, kept, released, or overwritten."""
    stage = table.inserts
    taken_back = seed_ledger.c.position > plan.target
    for outcome in ("absent", "kept"):
        found = entries(table, stage.c.seed_id, [outcome]).where(taken_back)
        yield Statement(sa.update(stage).values(outcome=outcome).where(found.exists()))
    for name in table.columns:
        lost = entries(table, stage.c.seed_id, ["overwritten"], name).where(taken_back)
        yield Statement(
            sa.update(stage).values({"n_" + name: pre_image(plan, table, name, lost)}).where(lost.exists())
        )
    released = entries(table, stage.c.seed_id, ["released"]).where(
        taken_back,
        sa.exists().where(table.live_id == seed_ledger.c.live_id),
    )
    live_id = released.with_only_columns(seed_ledger.c.live_id).order_by(seed_ledger.c.position)
    yield Statement(
        sa.update(stage)
        .values(outcome="released", live_id=live_id.scalar_subquery())
        .where(released.exists())
    )
    yield from _wake(plan, table)


def _wake(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Rows that were released above the target are adopted again, as they were before the first release.

    A row may have left and returned more than once: what was restored before an earlier release sleeps on.
    """
    stage = table.inserts
    again = sa.select(stage.c.seed_id).where(stage.c.outcome == "released")
    here = [seed_ledger.c.table_name == table.name, seed_ledger.c.seed_id.in_(again)]
    other = seed_ledger.alias("other")
    same_row = [
        other.c.table_name == table.name,
        other.c.seed_id == seed_ledger.c.seed_id,
        other.c.column_name == "",
        other.c.outcome == "released",
    ]
    below = (
        sa.select(sa.func.coalesce(sa.func.max(other.c.position), 0))
        .where(*same_row, other.c.position <= plan.target)
        .correlate(seed_ledger)
        .scalar_subquery()
    )
    above = (
        sa.select(sa.func.min(other.c.position))
        .where(*same_row, other.c.position > plan.target)
        .correlate(seed_ledger)
        .scalar_subquery()
    )
    yield Statement(
        sa.update(seed_ledger)
        .values(outcome="changed")
        .where(
            *here,
            seed_ledger.c.outcome == "restored",
            seed_ledger.c.position > below,
            seed_ledger.c.position <= above,
        )
    )
    yield Statement(
        sa.update(seed_ledger)
        .values(outcome="adopted")
        .where(*here, seed_ledger.c.outcome == "released", seed_ledger.c.position == above)
    )


def _follow(plan: Plan, table: StagedTable, *, own: bool) -> Iterator[Statement]:
    """Make staged foreign keys hold the live id of parents that were adopted under another id."""
    for name, key in table.frozen.foreign_keys.items():
        if name not in table.columns or (key.table == table.name) != own:
            continue
        if not (plan.may("known", key.table) or plan.may("met", key.table)):
            continue
        for kind, prefixes in (("insert", "n"), ("update", "on"), ("delete", "o")):
            if not table.has(kind) or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            for prefix in prefixes:
                column = stage.c[f"{prefix}_{name}"]
                live_id, was = adopted_as(key.table, column)
                # One that was deleted and brought back has its seed id.
                there = sa.exists().where(plan.parents[key.table].c[key.column] == live_id)
                yield Statement(sa.update(stage).values({column.name: live_id}).where(was, there))


def _drop_missing_links(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Optional links (to users) whose row is absent become NULL; the number is reported."""
    for name, key in table.frozen.foreign_keys.items():
        if not key.optional or name not in table.columns:
            continue
        parent = plan.parents[key.table].c[key.column]
        for kind in ("insert", "update"):
            if not table.has(kind) or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            column = stage.c["n_" + name]
            yield Statement(
                sa.update(stage)
                .values({column.name: sa.null()})
                .where(column.is_not(None), ~sa.exists().where(parent == column)),
                ("unlinked", key.table),
            )


def _match(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Live rows that an insert meets, by seed id or by natural key: they are adopted."""
    if not table.has("insert"):
        return
    stage, live = table.inserts, table.live
    by_key = [live.c[name] == stage.c["n_" + name] for name in table.frozen.key]
    for found in ([table.live_id == stage.c.seed_id], by_key):
        yield Statement(
            sa.update(stage)
            .values(live_id=table.live_id, outcome="adopted")
            .where(stage.c.outcome.is_(None), *found),
            ("met", table.name),
        )
    if not plan.may("met", table.name):
        return
    yield Statement(
        into_ledger(
            table,
            sa.select(stage).where(stage.c.outcome == "adopted", ~adopted(table, stage)),
            seed_id=stage.c.seed_id,
            position=stage.c.position,
            outcome="adopted",
            live_id=stage.c.live_id,
        ),
        ("adopted", table.name),
    )
