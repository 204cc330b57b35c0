"""Stand-ins: an optional link whose row is unknown gets the run's, and the ledger remembers each.

An entry says what was written in place of which link: `live_id` is the stand-in (none where the link was left
empty after another had one), `pre_image` the link itself. Of several the last counts.

A move up over several revisions says, in an entry of no row, whose stand-in it is in the states that it jumps
over, up to the next such entry: a way down may come to one of them later.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.ledger import NO_ROW, STAND_IN, seed_ledger
from seedrail.merge.program.parts import Plan, Statement, entries, into_ledger
from seedrail.merge.stage import StagedTable


def expect_stand_ins(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """What the seed left in a link is the stand-in that it wrote there: all else is somebody's edit."""
    for stage, name in _staged(table, "update", "delete"):
        old = stage.c["o_" + name]
        written = _written(plan, table, stage, name, old)
        yield Statement(sa.update(stage).values({old.name: _latest(written)}).where(written.exists()))


def recall_stand_ins(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """On the way down: a link gets the stand-in back that it had at the target, or would have had there."""
    for stage, name in _staged(table, "insert", "update"):
        new = stage.c["n_" + name]
        written = _written(plan, table, stage, name, new).where(seed_ledger.c.position <= plan.target)
        start, value = _jumped(plan, table, name)
        ours = [value.is_not(None), ~written.exists(), _unknown(plan, table, name, new)]
        if stage.name == table.updates.name:
            ours.append(stage.c["r_" + name].is_not(None))
        rows = sa.select(stage).where(*ours)
        # What stood in for another link, which the target does not have.
        others = seed_ledger.c.seed_id.in_(rows.with_only_columns(stage.c.seed_id))
        yield Statement(
            sa.delete(seed_ledger).where(*_here(table, name), others, seed_ledger.c.position == start)
        )
        yield _entry(plan, table, rows, name, new, start, value)
        yield Statement(sa.update(stage).values({new.name: _latest(written)}).where(written.exists()))


def trim_jumps(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """On the way down, when what is above the target is forgotten: no state is jumped over from there on."""
    for name in _links(table):
        jumps = [*_here(table, name), seed_ledger.c.seed_id == NO_ROW]
        yield Statement(sa.delete(seed_ledger).where(*jumps, seed_ledger.c.position == plan.target))
        yield _mark(table, name, plan.target, None, sa.exists().where(*jumps))


def stand_in(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """On the way up: links to unknown rows get the run's stand-in; rows that were there keep their own."""
    if plan.target > plan.source + 1:
        yield from _jump(plan, table)
    for stage, name in _staged(table, "insert", "update"):
        new = stage.c["n_" + name]
        value = plan.stand_ins.get((table.name, name))
        if value is None and not plan.may("known", table.name):
            continue
        unknown = _unknown(plan, table, name, new)
        ours: ColumnElement[bool] = stage.c.outcome.is_(None)
        position: ColumnElement[Any] = sa.literal(plan.source + 1)
        if stage.name == table.updates.name:
            position = stage.c["r_" + name]
            ours = sa.and_(ours, position.is_not(None))
        elif value is not None:
            theirs = sa.exists().where(table.live_id == stage.c.live_id, table.live.c[name] == value)
            ours = sa.or_(ours, sa.and_(stage.c.outcome == "adopted", theirs))
        if value is None:
            # Left empty, where an entry would say that a stand-in is there.
            ours = sa.and_(ours, _written(plan, table, stage, name, new).exists())
        rows = sa.select(stage).where(ours, unknown)
        yield _entry(plan, table, rows, name, new, position, value)
        if value is not None:
            yield Statement(
                sa.update(stage).values({new.name: value}).where(ours, unknown), ("links filled", table.name)
            )


def _jump(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Whose stand-in it is in the states between, and which links were empty before them."""
    for name in _links(table):
        value = plan.stand_ins.get((table.name, name))
        if value is None:
            continue
        yield _mark(table, name, plan.source + 1, value)
        yield _mark(table, name, plan.target, None)
        for stage, changed in _staged(table, "update", "delete"):
            old = stage.c["o_" + name]
            if changed != name:
                continue
            known = entries(table, stage.c.seed_id, [STAND_IN], name).exists()
            rows = sa.select(stage).where(_unknown(plan, table, name, old), ~known)
            if stage.name == table.updates.name:
                rows = rows.where(stage.c["r_" + name].is_not(None))
            yield _entry(plan, table, rows, name, old, sa.literal(plan.source), None)


def _mark(table: StagedTable, name: str, position: int, value: Any, *where: ColumnElement[bool]) -> Statement:
    """From a position on, the states that are jumped over have a stand-in, or none."""
    entry = {
        "table_name": sa.literal(table.name),
        "seed_id": sa.literal(NO_ROW, sa.Uuid()),
        "column_name": sa.literal(name),
        "position": sa.literal(position),
        "outcome": sa.literal(STAND_IN),
        "live_id": sa.null() if value is None else value,
    }
    return Statement(
        sa.insert(seed_ledger).from_select(list(entry), sa.select(*entry.values()).where(*where))
    )


def _jumped(plan: Plan, table: StagedTable, name: str) -> tuple[Any, Any]:
    """Where the jump over the target began, and whose stand-in it is there; NULL where none is."""
    jump = seed_ledger.alias("jump")
    mark = sa.select(jump.c.position, jump.c.live_id).where(
        jump.c.table_name == table.name,
        jump.c.column_name == name,
        jump.c.outcome == STAND_IN,
        jump.c.seed_id == NO_ROW,
        jump.c.position <= plan.target,
    )
    last = mark.order_by(jump.c.position.desc()).limit(1)
    return (
        last.with_only_columns(jump.c.position).scalar_subquery(),
        last.with_only_columns(jump.c.live_id).scalar_subquery(),
    )


def _here(table: StagedTable, name: str) -> list[ColumnElement[bool]]:
    return [
        seed_ledger.c.table_name == table.name,
        seed_ledger.c.column_name == name,
        seed_ledger.c.outcome == STAND_IN,
    ]


def _unknown(plan: Plan, table: StagedTable, name: str, link: Any) -> ColumnElement[bool]:
    """Whether a link leads nowhere, an empty one included."""
    key = table.frozen.foreign_keys[name]
    return ~sa.exists().where(plan.parents[key.table].c[key.column] == link)


def _entry(
    plan: Plan, table: StagedTable, rows: sa.Select[Any], name: str, link: Any, position: Any, value: Any
) -> Statement:
    """An entry for each of some staged rows: what is in place of a link from a position on."""
    return Statement(
        into_ledger(
            table,
            rows,
            seed_id=rows.selected_columns.seed_id,
            column_name=name,
            position=position,
            outcome=STAND_IN,
            live_id=sa.null() if value is None else value,
            pre_image=plan.dialect.to_ledger(link),
        )
    )


def uncovered_stand_ins(plan: Plan, table: StagedTable) -> Iterator[sa.Select[Any]]:
    """On the way down: how many links got a stand-in above the target and are not changed by the move.

    They had another value in between, so that a single move does not know what they had at the target.
    """
    for name in _links(table):
        moved = [sa.select(table.deletes.c.seed_id)] if table.has("delete") else []
        if table.has("update") and name in table.updated:
            stage = table.updates
            moved.append(sa.select(stage.c.seed_id).where(stage.c["r_" + name].is_not(None)))
        yield (
            sa.select(sa.func.count())
            .select_from(seed_ledger)
            .where(
                *_here(table, name),
                seed_ledger.c.position > plan.target,
                seed_ledger.c.seed_id != NO_ROW,
                *(seed_ledger.c.seed_id.not_in(ids) for ids in moved),
            )
        )


def _links(table: StagedTable) -> list[str]:
    keys = table.frozen.foreign_keys
    return [name for name, key in keys.items() if key.optional and name in table.columns]


def _staged(table: StagedTable, *kinds: str) -> Iterator[tuple[sa.Table, str]]:
    """The staging tables of some kinds, with each optional link that their rows may set."""
    for kind in kinds:
        for name in _links(table):
            if table.has(kind) and (kind != "update" or name in table.updated):
                yield table.by_kind(kind), name


def _written(plan: Plan, table: StagedTable, stage: sa.Table, name: str, link: Any) -> sa.Select[Any]:
    """A ledger row of what was written in place of a link of a staged row."""
    same = plan.dialect.same(seed_ledger.c.pre_image, plan.dialect.to_ledger(link))
    return entries(table, stage.c.seed_id, [STAND_IN], name).where(same)


def _latest(written: sa.Select[Any]) -> Any:
    return (
        written.with_only_columns(seed_ledger.c.live_id)
        .order_by(seed_ledger.c.position.desc())
        .scalar_subquery()
    )
