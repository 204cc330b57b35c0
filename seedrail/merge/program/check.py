"""Check: every conflict between what the seed expects and what is there.

Under `abort` the conflicts are only collected. Under `keep` and `overwrite` each is settled where it is
found, because one decides the next: a row that is kept keeps the rows that it points at.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import seed_ledger
from seedrail.merge.program import references, settle
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    analyzed,
    conflict,
    entries,
    equal,
    leads_somewhere,
    pre_image,
)
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy


def check(plan: Plan) -> Iterator[Statement]:
    """The statements: rows that come and change with parents first, rows that go with children first."""
    settled = plan.policy is not Policy.ABORT
    probed: set[str] = set()
    for table in plan.tables:
        yield from _check_links(plan, table)
        if settled:
            yield from settle.links(plan, table)
        if table.has("insert"):
            yield from _check_inserts(plan, table)
            yield from references.check_changes(plan, table, "insert")
            if settled:
                yield from settle.held_inserts(plan, table)
        if table.has("update"):
            yield from _check_updates(plan, table)
            yield from references.check_changes(plan, table, "update")
            if settled:
                yield from settle.updates(plan, table)
        if settled:
            yield from analyzed(plan, table, "insert", "update")
    for table in reversed(plan.tables):
        if not table.has("delete"):
            continue
        yield from _check_deletes(plan, table)
        if settled:
            yield from settle.edited_deletes(plan, table)
        yield from references.check_give_back(plan, table)
        yield from references.check_deletes(plan, table, probed)
        if settled:
            yield from settle.referenced_deletes(table)
            yield from analyzed(plan, table, "delete")


def _check_inserts(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`exists`: a row is there under the seed id or the natural key, and differs."""
    if not (plan.may("met", table.name) or plan.may("known", table.name)):
        return
    stage, live = table.inserts, table.live
    rows = sa.select(stage).join(live, table.live_id == stage.c.live_id)
    for name in table.columns:
        wanted = stage.c["n_" + name]
        differs = ~equal(plan, table, name, wanted)
        met = rows.where(stage.c.outcome == "adopted", differs)
        yield conflict(plan, "exists", table, name, met, wanted, live.c[name])
        if plan.upgrade:
            continue
        # A row that was given back to its owner comes under the seed again.
        given = entries(table, stage.c.seed_id, ["changed"], name)
        edited = ~equal(plan, table, name, pre_image(plan, table, name, given))
        back = rows.where(stage.c.outcome == "released", given.exists(), differs, edited)
        yield conflict(plan, "exists", table, name, back, wanted, live.c[name])


def _check_updates(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`deleted`: the row is gone; `edited`: a column is neither what it was nor what it shall be."""
    stage, live = table.updates, table.live
    yield _probe_updates(plan, table)
    if not plan.may("touched", table.name):
        return
    there = sa.exists().where(table.live_id == stage.c.live_id)
    wanted = [stage.c["r_" + name].is_not(None) for name in sorted(table.updated)]
    gone = sa.select(stage).where(stage.c.outcome.is_(None), sa.or_(*wanted), ~there)
    yield conflict(plan, "deleted", table, "", gone, None, None)
    for name in sorted(table.updated):
        old, new = stage.c["o_" + name], stage.c["n_" + name]
        expected = sa.or_(equal(plan, table, name, old), equal(plan, table, name, new))
        edited = (
            sa.select(stage)
            .join(live, table.live_id == stage.c.live_id)
            .where(stage.c.outcome.is_(None), stage.c["r_" + name].is_not(None), ~expected)
        )
        yield conflict(plan, "edited", table, name, edited, new, live.c[name])


def _probe_updates(plan: Plan, table: StagedTable) -> Statement:
    """How many rows are gone, edited, or have a new value already: one look instead of two a column."""
    stage = table.updates
    untouched = [
        sa.or_(
            stage.c["r_" + name].is_(None),
            sa.and_(
                equal(plan, table, name, stage.c["o_" + name]),
                ~equal(plan, table, name, stage.c["n_" + name]),
            ),
        )
        for name in sorted(table.updated)
    ]
    there = sa.exists().where(table.live_id == stage.c.live_id, *untouched)
    touched = sa.select(sa.func.count()).select_from(stage).where(stage.c.outcome.is_(None), ~there)
    return Statement(touched, ("touched", table.name), probe=True)


def _check_links(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`unlinked`: the row that a staged foreign key leads to is not there, or goes with this move."""
    for name, key in table.frozen.foreign_keys.items():
        if key.optional or name not in table.columns:
            continue
        staged = plan.staged(key.table)
        if staged and plan.from_nothing and plan.policy is Policy.ABORT and not table.released:
            # A seed state is whole: what its rows point at is in it, so that it comes by this move too.
            # Rows that were released since are in no state any more.
            continue
        for kind in ("insert", "update"):
            if not table.has(kind) or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            column = stage.c["n_" + name]
            written: ColumnElement[bool] = stage.c.outcome.is_(None)
            if kind == "insert" and plan.policy is Policy.OVERWRITE:
                written = sa.or_(written, stage.c.outcome == "adopted")
            there = leads_somewhere(plan, table, name, column)
            if staged and staged.has("insert"):
                new = staged.inserts.alias("new")
                coming = new.c.seed_id == column, new.c.outcome.is_(None)
                there = sa.or_(there, sa.exists().where(*coming))
            wanted = stage.c["r_" + name].is_not(None) if kind == "update" else sa.true()
            missing = sa.select(stage).where(written, wanted, column.is_not(None), ~there)
            yield conflict(plan, "unlinked", table, name, missing, column, None)


def _check_deletes(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`edited row`: a row that would go is not as seeded, in a seeded column or in any other."""
    stage, live = table.deletes, table.live
    rows = sa.select(stage).join(live, table.live_id == stage.c.live_id)
    ours = rows.where(stage.c.outcome.is_(None))
    yield _probe_edits(plan, table, ours)
    if not (plan.may("edited", table.name) or plan.may("known", table.name)):
        return
    for name in table.columns:
        old, found = stage.c["o_" + name], live.c[name]
        same = equal(plan, table, name, old)
        cut = entries(table, stage.c.seed_id, ["cut"], name).exists() & found.is_(None)
        yield conflict(plan, "edited row", table, name, ours.where(~same, ~cut), old, found)
        if not plan.upgrade:
            yield from _check_hidden_edits(plan, table, name, ours.where(same))
        before = entries(table, stage.c.seed_id, ["changed"], name)
        given = pre_image(plan, table, name, before)
        theirs = rows.where(stage.c.outcome == "adopted", before.exists())
        edited = theirs.where(~same, ~equal(plan, table, name, given))
        yield conflict(plan, "edited row", table, name, edited, given, found)
        if name in table.frozen.foreign_keys:
            lost = theirs.where(same, given.is_not(None), ~leads_somewhere(plan, table, name, given))
            yield conflict(plan, "unlinked", table, name, lost, given, None)
    for name, default in plan.unseeded.get(table.name, {}).items():
        expected: ColumnElement[Any] = sa.literal_column(f"({default})")
        differs = ours.where(~plan.dialect.holds(live.c[name], default))
        yield conflict(plan, "edited row", table, name, differs, expected, live.c[name])


def _probe_edits(plan: Plan, table: StagedTable, ours: sa.Select[Any]) -> Statement:
    """How many rows are not as seeded in any column: one look instead of one for each column."""
    stage, live = table.deletes, table.live
    differs = [~equal(plan, table, name, stage.c["o_" + name]) for name in table.columns]
    for name, default in plan.unseeded.get(table.name, {}).items():
        differs.append(~plan.dialect.holds(live.c[name], default))
    edited = ours.with_only_columns(sa.func.count()).where(sa.or_(*differs))
    return Statement(edited, ("edited", table.name), probe=True)


def _check_hidden_edits(
    plan: Plan, table: StagedTable, name: str, rows: sa.Select[Any]
) -> Iterator[Statement]:
    """`edited before`: a column looks as seeded, but had been edited when a revision came to set it."""
    stage = table.deletes
    before = entries(table, stage.c.seed_id, ["same", "overwritten"], name).where(
        seed_ledger.c.position > plan.target
    )
    yield conflict(
        plan,
        "edited before",
        table,
        name,
        rows.where(before.exists()),
        stage.c["o_" + name],
        pre_image(plan, table, name, before),
    )
