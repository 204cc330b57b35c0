"""Remember: ledger rows for what a move meets and takes away, and their end when nothing asks for them."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import STAND_IN, seed_ledger
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    adopted,
    entries,
    equal,
    into_ledger,
)
from seedrail.merge.program.standins import trim_jumps
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy


def remember(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """What the way back must know of the writes that are about to happen."""
    if table.has("insert") and plan.policy is Policy.OVERWRITE:
        yield from _remember_overwritten_inserts(plan, table)
    if table.has("update"):
        for name in sorted(table.updated):
            yield from _remember_update(plan, table, name)
    if table.has("delete") and plan.upgrade:
        yield from _remember_deletes(plan, table)


def _remember_overwritten_inserts(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """The columns that overwriting an adopted row is about to change."""
    stage, live = table.inserts, table.live
    for name in table.columns:
        rows = (
            sa.select(stage)
            .join(live, table.live_id == stage.c.live_id)
            .where(
                stage.c.outcome == "adopted",
                ~equal(plan, table, name, stage.c["n_" + name]),
                ~entries(table, stage.c.seed_id, ["changed"], name).exists(),
            )
        )
        yield Statement(
            _column_entry(plan, table, rows, stage, name, stage.c.position, "changed"),
            ("overwritten", table.name),
        )


def _remember_update(plan: Plan, table: StagedTable, name: str) -> Iterator[Statement]:
    """A column that has its new value already, and one of an adopted row that is about to change."""
    stage, live = table.updates, table.live
    position = stage.c["r_" + name]
    rows = (
        sa.select(stage)
        .join(live, table.live_id == stage.c.live_id)
        .where(stage.c.outcome.is_(None), position.is_not(None))
    )
    already = equal(plan, table, name, stage.c["n_" + name])
    if plan.upgrade and plan.may("touched", table.name):
        # Links from nowhere to nowhere were left empty by the seed itself, and nobody came before it.
        met = rows.where(already, ~equal(plan, table, name, stage.c["o_" + name]))
        yield Statement(_column_entry(plan, table, met, stage, name, position, "same"))
    if not plan.may("known", table.name):
        return
    fresh = ~entries(table, stage.c.seed_id, ["changed"], name).exists()
    theirs = rows.where(~already, adopted(table, stage), fresh)
    yield Statement(_column_entry(plan, table, theirs, stage, name, position, "changed"))


def _remember_deletes(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Rows that were gone before, rows that stay, and adopted rows that go back to their owner."""
    stage = table.deletes
    there = sa.exists().where(table.live_id == stage.c.live_id)
    # Whoever deleted an adopted row does not get it back either.
    wanted = sa.or_(stage.c.outcome.is_(None), stage.c.outcome == "adopted")
    remembered = {"absent": sa.select(stage).where(wanted, ~there)}
    if plan.policy is not Policy.ABORT:
        remembered["kept"] = sa.select(stage).where(stage.c.outcome == "kept")
    for outcome, rows in remembered.items():
        yield Statement(
            into_ledger(
                table,
                rows,
                seed_id=stage.c.seed_id,
                position=stage.c.position,
                outcome=outcome,
                live_id=stage.c.live_id,
            )
        )


def _column_entry(
    plan: Plan,
    table: StagedTable,
    rows: sa.Select[Any],
    stage: sa.Table,
    name: str,
    position: ColumnElement[Any],
    outcome: str,
) -> sa.Insert:
    return into_ledger(
        table,
        rows,
        seed_id=stage.c.seed_id,
        column_name=name,
        position=position,
        outcome=outcome,
        live_id=stage.c.live_id,
        pre_image=plan.dialect.to_ledger(table.live.c[name]),
    )


def forget(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Drop what nothing can ask for any more; adopted rows that left the seed on the way up fall asleep."""
    here = seed_ledger.c.table_name == table.name
    if table.has("delete"):
        stage = table.deletes
        going = [here, seed_ledger.c.seed_id.in_(sa.select(stage.c.seed_id))]
        if plan.upgrade:
            yield Statement(
                sa.update(seed_ledger)
                .values(outcome="restored")
                .where(*going, seed_ledger.c.outcome == "changed")
            )
            yield Statement(
                into_ledger(
                    table,
                    sa.select(stage).where(adopted(table, stage)),
                    seed_id=stage.c.seed_id,
                    position=stage.c.position,
                    outcome="released",
                    live_id=stage.c.live_id,
                )
            )
        left = ["adopted"] if plan.upgrade else ["adopted", "changed", "cut"]
        yield Statement(sa.delete(seed_ledger).where(*going, seed_ledger.c.outcome.in_(left)))
    if not plan.upgrade:
        temporary = ["same", "kept", "overwritten", "absent", "revived", "released", STAND_IN]
        yield Statement(
            sa.delete(seed_ledger).where(
                here,
                seed_ledger.c.outcome.in_(temporary),
                seed_ledger.c.position > plan.target,
            )
        )
        yield from trim_jumps(plan, table)
        other = seed_ledger.alias("other")
        asleep = sa.select(other.c.seed_id).where(
            other.c.table_name == table.name, other.c.outcome == "released"
        )
        yield Statement(
            sa.delete(seed_ledger).where(
                here, seed_ledger.c.outcome == "restored", seed_ledger.c.seed_id.not_in(asleep)
            )
        )
