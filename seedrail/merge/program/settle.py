"""Settle: what `keep` and `overwrite` make of conflicts, written into the staged rows and the ledger."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from seedrail.merge.ledger import seed_ledger
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    conflicts,
    entries,
    in_conflict,
    into_ledger,
)
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy

_EDITED = ["edited row", "edited before"]


def links(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """A link to a row that is gone: NULL where that is allowed, else the row is left out.

    In an adopted row the link is left as it is.
    """
    for name, key in table.frozen.foreign_keys.items():
        if key.optional or name not in table.columns:
            continue
        if table.has("insert"):
            stage = table.inserts
            broken = in_conflict(table, stage, ["unlinked"], name)
            rows = sa.select(stage).where(stage.c.outcome.is_(None), broken)
            entry = {"seed_id": stage.c.seed_id, "position": stage.c.position}
            if plan.policy is Policy.OVERWRITE:
                yield Statement(
                    sa.update(stage)
                    .values({"n_" + name: table.live.c[name]})
                    .where(stage.c.outcome == "adopted", broken, table.live_id == stage.c.live_id)
                )
            if table.frozen.columns[name].nullable:
                yield _cut(table, rows, stage, name, stage.c.position)
                yield Statement(
                    sa.update(stage).values({"n_" + name: sa.null()}).where(stage.c.outcome.is_(None), broken)
                )
            else:
                yield Statement(into_ledger(table, rows, outcome="absent", **entry))
                yield Statement(
                    sa.update(stage).values(outcome="absent").where(stage.c.outcome.is_(None), broken)
                )


def updates(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Edited columns are left alone or overwritten; rows that are gone stay gone."""
    stage, live = table.updates, table.live
    for name in sorted(table.updated):
        changed = stage.c["r_" + name]
        kinds = ["unlinked", "referenced"]
        if plan.policy is Policy.KEEP:
            kinds.append("edited")
        if not plan.upgrade and name in table.frozen.foreign_keys and table.frozen.columns[name].nullable:
            # What is there belongs to the state above: the row that it leads to may go.
            kinds.remove("unlinked")
            broken = in_conflict(table, stage, ["unlinked"], name)
            yield _cut(table, sa.select(stage).where(changed.is_not(None), broken), stage, name, changed)
            yield Statement(sa.update(stage).values({"n_" + name: sa.null()}).where(broken))
        kept = in_conflict(table, stage, kinds, name)
        lost = in_conflict(table, stage, ["edited"], name)
        rows = sa.select(stage).join(live, table.live_id == stage.c.live_id)
        columns = {
            "seed_id": stage.c.seed_id,
            "column_name": name,
            "position": changed,
            "live_id": stage.c.live_id,
            "pre_image": plan.dialect.to_ledger(live.c[name]),
        }
        if plan.upgrade:
            met = rows.where(changed.is_not(None), kept)
            yield Statement(into_ledger(table, met, outcome="kept", **columns), ("kept", table.name))
        yield Statement(sa.update(stage).values({changed.name: None}).where(kept))
        if plan.policy is Policy.OVERWRITE:
            met = rows.where(changed.is_not(None), lost)
            yield from _lose(plan, table, met, columns)
    gone = in_conflict(table, stage, ["deleted"])
    if plan.upgrade:
        yield Statement(
            into_ledger(
                table,
                sa.select(stage).where(gone),
                seed_id=stage.c.seed_id,
                position=stage.c.position,
                outcome="absent",
            ),
            ("kept", table.name),
        )
    yield Statement(sa.update(stage).values(outcome="absent").where(gone))


def held_inserts(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """A row that was there keeps the values by which others point at it."""
    stage = table.inserts
    targets = {name for key in plan.references.get(table.name, ()) for name in key.target}
    for name in table.columns:
        if name in targets:
            yield Statement(
                sa.update(stage)
                .values({"n_" + name: table.live.c[name]})
                .where(
                    stage.c.outcome.in_(["adopted", "released"]),
                    in_conflict(table, stage, ["referenced"], name),
                    table.live_id == stage.c.live_id,
                )
            )


def _cut(table: StagedTable, rows: sa.Select[Any], stage: sa.Table, name: str, position: Any) -> Statement:
    """Remember a link that is left empty."""
    known = entries(table, stage.c.seed_id, ["cut"], name).exists()
    entry = {"seed_id": stage.c.seed_id, "position": position}
    return Statement(into_ledger(table, rows.where(~known), column_name=name, outcome="cut", **entry))


def edited_deletes(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Edited rows stay, or go with their values kept in the ledger."""
    if plan.policy is Policy.KEEP:
        yield from _keep(table, _EDITED)
        return
    stage, live = table.deletes, table.live
    for name in (*table.columns, *plan.unseeded.get(table.name, {})):
        rows = (
            sa.select(stage)
            .join(live, table.live_id == stage.c.live_id)
            .where(stage.c.outcome.is_(None), in_conflict(table, stage, _EDITED, name))
        )
        columns = {
            "seed_id": stage.c.seed_id,
            "column_name": name,
            "position": stage.c.position,
            "live_id": stage.c.live_id,
            "pre_image": plan.dialect.to_ledger(live.c[name]),
        }
        yield from _lose(plan, table, rows, columns)


def _lose(
    plan: Plan, table: StagedTable, rows: sa.Select[Any], columns: dict[str, Any]
) -> Iterator[Statement]:
    """Keep overwritten values: for the way back on the way up, for the record alone on the way down."""
    if not plan.upgrade:
        met = rows.with_only_columns(columns["seed_id"])
        yield Statement(
            sa.delete(seed_ledger).where(
                seed_ledger.c.table_name == table.name,
                seed_ledger.c.column_name == columns["column_name"],
                seed_ledger.c.outcome == "discarded",
                seed_ledger.c.seed_id.in_(met),
            )
        )
    outcome = "overwritten" if plan.upgrade else "discarded"
    yield Statement(into_ledger(table, rows, outcome=outcome, **columns), ("overwritten", table.name))


def referenced_deletes(table: StagedTable) -> Iterator[Statement]:
    """Rows that others point at stay under every policy, and with them the rows that they point at."""
    yield from _keep(table, ["referenced"])
    stage, live = table.deletes, table.live
    for name, key in table.frozen.foreign_keys.items():
        if key.table != table.name or name not in table.columns:
            continue
        kept = sa.select(stage.c.live_id).where(stage.c.outcome == "kept")
        above = (
            sa.select(live.c[name].label("id")).where(table.live_id.in_(kept)).cte("above", recursive=True)
        )
        parent = live.alias("parent")
        above = above.union(sa.select(parent.c[name]).join(above, parent.c[table.frozen.id] == above.c.id))
        pointed = sa.select(
            sa.literal("referenced"),
            sa.literal(table.name),
            stage.c.seed_id,
            sa.literal(""),
            sa.literal(f"{table.name}.{name}"),
            sa.literal("1"),
        ).where(stage.c.outcome.is_(None), stage.c.live_id.in_(sa.select(above.c.id)))
        yield Statement(sa.insert(conflicts).from_select(list(conflicts.c.keys()), pointed))
        yield from _keep(table, ["referenced"])


def _keep(table: StagedTable, kinds: list[str]) -> Iterator[Statement]:
    stage = table.deletes
    yield Statement(
        sa.update(stage)
        .values(outcome="kept")
        .where(stage.c.outcome.is_(None), in_conflict(table, stage, kinds)),
        ("kept", table.name),
    )
