"""Check: every conflict between what the seed expects and what is there.

Under `abort` the conflicts are only collected. Under `keep` and `overwrite` each is settled where it is
found, because one decides the next: a row that is kept keeps the rows that it points at.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from app.seeding.ledger import seed_ledger
from app.seeding.options import Policy
from app.seeding.program import settle
from app.seeding.program.parts import (
    Plan,
    Statement,
    analyzed,
    conflict,
    entries,
    equal,
    given_back,
    leads_somewhere,
    pre_image,
)
from app.seeding.stage import StagedTable
from app.seeding.tables import Reference


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
        if table.has("update"):
            yield from _check_updates(plan, table)
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
        yield from _check_references(plan, table, probed)
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
        differs = ours.where(~plan.dialect.same(live.c[name], expected))
        yield conflict(plan, "edited row", table, name, differs, expected, live.c[name])


def _probe_edits(plan: Plan, table: StagedTable, ours: sa.Select[Any]) -> Statement:
    """How many rows are not as seeded in any column: one look instead of one for each column."""
    stage, live = table.deletes, table.live
    differs = [~equal(plan, table, name, stage.c["o_" + name]) for name in table.columns]
    for name, default in plan.unseeded.get(table.name, {}).items():
        differs.append(~plan.dialect.same(live.c[name], sa.literal_column(f"({default})")))
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


def _check_references(plan: Plan, table: StagedTable, probed: set[str]) -> Iterator[Statement]:
    """The foreign keys that lead to rows that would go, but for those of tables that all rows would leave."""
    for reference in plan.references.get(table.name, ()):
        child = _child(plan, reference)
        if child is not None and child.name not in probed:
            probed.add(child.name)
            yield _probe_stays(child)
        if child is None or plan.may("stay", child.name):
            yield _check_reference(plan, table, reference)


def _probe_stays(table: StagedTable) -> Statement:
    """Whether rows of a table stay: one count, no longer than that of its staged deletes."""
    going: Any = sa.literal(0)
    if table.has("delete"):
        stage, live = table.deletes, table.live
        ours = sa.select(sa.func.count().label("n")).join_from(stage, live, table.live_id == stage.c.live_id)
        # Asked for twice below, and counted once.
        counted = ours.where(stage.c.outcome.is_(None)).cte("going")
        going = sa.select(counted.c.n).scalar_subquery()
    some = sa.select(table.live_id).limit(going + 1).subquery()
    left = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    return Statement(sa.select(left - going), ("stay", table.name), probe=True)


def _check_reference(plan: Plan, table: StagedTable, reference: Reference) -> Statement:
    """`referenced`: rows that stay point at a row that would go, whatever the key's ON DELETE says."""
    stage = table.deletes
    rows = _pointed_at(plan, table, reference, _other(plan, reference))
    rows = rows.where(stage.c.outcome.is_(None)).group_by(stage.c.seed_id)
    return conflict(plan, "referenced", table, "", rows, sa.literal(str(reference)), sa.func.count())


def pointing_rows(plan: Plan, table: StagedTable, reference: Reference, seed_id: UUID) -> sa.Select[Any]:
    """The primary keys, as text, of the rows that a `referenced` conflict counts."""
    other = _other(plan, reference)
    identity: list[Any] = [plan.dialect.text(other.c[name]) for name in reference.identity]
    rows = _pointed_at(plan, table, reference, other).where(table.deletes.c.seed_id == seed_id)
    return rows.with_only_columns(*identity).order_by(*identity)


def _other(plan: Plan, reference: Reference) -> Any:
    """The table that a foreign key belongs to, under a name of its own: it may be the seed table."""
    child = _child(plan, reference)
    names = dict.fromkeys([*reference.columns, *reference.identity, *([child.frozen.id] if child else [])])
    columns: list[Any] = [sa.column(name) for name in names]
    return sa.table(reference.table, *columns, schema=reference.schema).alias("other")


def _child(plan: Plan, reference: Reference) -> StagedTable | None:
    return plan.staged(reference.table) if reference.schema is None else None


def _pointed_at(plan: Plan, table: StagedTable, reference: Reference, other: Any) -> sa.Select[Any]:
    """Staged deletes with the rows that stay and point at them."""
    points = [
        other.c[column] == table.live.c[target]
        for column, target in zip(reference.columns, reference.target, strict=True)
    ]
    child = _child(plan, reference)
    stays = _stays(plan, child, other, reference) if child else []
    return (
        sa.select(table.deletes)
        .join(table.live, table.live_id == table.deletes.c.live_id)
        .join(other, sa.and_(*points))
        .where(*stays)
    )


def _stays(plan: Plan, child: StagedTable, other: Any, reference: Reference) -> Sequence[ColumnElement[bool]]:
    """Conditions for a referencing row that this move neither deletes, points elsewhere, nor gives back.

    Each is a set of ids that is made once, whatever row it is asked of.
    """
    sets: list[sa.Select[Any]] = []
    column = reference.columns[0]
    row = child.live.alias("row")
    row_id = row.c[child.frozen.id]
    if child.has("delete"):
        going = child.deletes.alias("going")
        sets.append(sa.select(going.c.live_id).where(going.c.outcome.is_(None)))
    if child.has("update") and column in child.updated:
        moved = child.updates.alias("moved")
        sets.append(
            sa.select(row_id)
            .join_from(moved, row, row_id == moved.c.live_id)
            .where(
                moved.c.outcome.is_(None),
                moved.c["r_" + column].is_not(None),
                ~plan.dialect.same(moved.c["n_" + column], row.c[column]),
            )
        )
    if child.has("delete") and column in child.columns:
        # A row that goes back to its owner gets back the link that it had before the seed.
        back = child.deletes.alias("back")
        before = entries(child, back.c.seed_id, ["changed"], column)
        own = pre_image(plan, child, column, before)
        _, conditions = given_back(plan, child, column, own)
        sets.append(
            sa.select(row_id)
            .join_from(back, row, row_id == back.c.live_id)
            .where(
                back.c.outcome == "adopted",
                before.exists(),
                plan.dialect.same(row.c[column], back.c["o_" + column]),
                ~plan.dialect.same(own, row.c[column]),
                *conditions,
            )
        )
    return [other.c[child.frozen.id].not_in(ids) for ids in sets]
