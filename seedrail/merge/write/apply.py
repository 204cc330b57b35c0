"""Apply: the writes, in an order that every key and constraint allows, and what the ledger gets and loses."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.merge.decide.cases import CUTS, WHOLE, WRITE
from seedrail.merge.decide.cells import (
    ADOPTED,
    ENTERS,
    GIVEN_BACK,
    GOES,
    IS_GONE,
    KEPT,
    LEFT_OUT,
    REFERENCED,
    cells,
    is_text,
    mark,
    places,
    same_row,
)
from seedrail.merge.ledger import CUT, EXISTS, NO_ROW, PRESENT, seed_claims
from seedrail.merge.plan import Plan, Statement, equal
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable
from seedrail.merge.write.parking import park


def apply(plan: Plan) -> Iterator[Statement]:
    """The statements: parents come before children, and children go before parents."""
    for table in plan.tables:
        yield from park(plan, table)
    for table in plan.tables:
        if table.may(INSERT):
            yield from _insert(plan, table)
    for table in plan.tables:
        if table.may(UPDATE) and table.writable:
            yield _update(plan, table)
    for table in reversed(plan.tables):
        if table.may(DELETE):
            yield _delete(table)


def _insert(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    stage, live = table.stage, table.live
    names = [table.frozen.id, *table.columns]
    rows = sa.select(stage.c.seed_id, *(stage.c["n_" + name] for name in table.columns))
    yield Statement(
        sa.insert(live).from_select(names, rows.where(stage.c.action == INSERT)), ("inserted", table.name)
    )
    if not (table.touched and plan.knows(table.name)) or plan.upgrade:
        return
    for name in table.unseeded:
        # What people had in columns of their own comes back with a row.
        cell, column = cells.alias("cell"), live.c[name]
        mine = [cell.c.table_name == table.name, cell.c.column_name == name, cell.c.verdict == WRITE]
        mine += [table.live_id == cell.c.seed_id]
        value = plan.dialect.from_ledger(cell.c.written, column)
        yield Statement(sa.update(live).values({name: value}).where(*mine))
        if plan.watched:
            # As texts: an unseeded column may be of a type that has no equality.
            differs = ~plan.dialect.same(plan.dialect.text(column), plan.dialect.text(value))
            left = sa.select(sa.func.count()).select_from(live.join(cell, sa.true()))
            yield Statement(left.where(*mine, differs), missed=(table.name, "update"))


def _update(plan: Plan, table: StagedTable) -> Statement:
    stage, live = table.stage, table.live
    set_here = {name: stage.c["r_" + name].is_not(None) for name in table.writable}
    values = {
        name: sa.case((is_set, stage.c["n_" + name]), else_=live.c[name]) for name, is_set in set_here.items()
    }
    changed = [
        sa.and_(is_set, ~equal(plan, table, name, live.c[name], stage.c["n_" + name]))
        for name, is_set in set_here.items()
    ]
    mine = table.live_id == stage.c.live_id, stage.c.action == UPDATE
    return Statement(sa.update(live).values(values).where(*mine, sa.or_(*changed)), ("updated", table.name))


def _delete(table: StagedTable) -> Statement:
    stage = table.stage
    ours = sa.select(stage.c.live_id).where(stage.c.action == DELETE)
    return Statement(sa.delete(table.live).where(table.live_id.in_(ours)), ("deleted", table.name))


# -- the ledger ------------------------------------------------------------------------------------------


def drop(plan: Plan, names: list[str]) -> Iterator[Statement]:
    """A way down drops the claims above its target."""
    if not plan.upgrade:
        above = seed_claims.c.table_name.in_(names), seed_claims.c.position > plan.target
        yield Statement(sa.delete(seed_claims).where(*above))


def mark_stand_ins(plan: Plan, tables: Iterable[StagedTable]) -> Iterator[Statement]:
    """On a way up: whose stand-in it is from here on, where it was another's, or nobody's.

    A later way down may come to one of the states that this move has jumped over.
    """
    for table in tables if plan.upgrade else ():
        for name, key in table.frozen.foreign_keys.items():
            value = plan.stand_ins.get((table.name, name), sa.null())
            if not key.optional or (isinstance(value, sa.Null) and not plan.knows(table.name)):
                continue
            now = plan.dialect.to_ledger(value)
            claim: dict[str, Any] = {
                "table_name": sa.literal(table.name),
                "seed_id": sa.literal(NO_ROW, sa.Uuid()),
                "column_name": sa.literal(name),
                "position": sa.literal(plan.source + 1),
                "value": now,
                "stands": sa.literal(CUT),
            }
            other = ~plan.dialect.same(mark(table.name, name).scalar_subquery(), now)
            yield Statement(
                sa.insert(seed_claims).from_select(list(claim), sa.select(*claim.values()).where(other))
            )


def push(plan: Plan) -> Iterator[Statement]:
    """Claim what was decided; nothing at seed_base, nor above the target."""
    c = cells.c
    position = c.first if plan.upgrade else _place(plan)
    of_row = sa.and_(c.column_name == EXISTS, is_text(c.value, PRESENT))
    live_id = sa.case((of_row, c.live_id), else_=sa.null())
    # A link may be claimed for somebody, or as whole again, and then as cut.
    later = sa.case((c.verdict == CUTS, 2), (c.verdict == WHOLE, 1), else_=0)
    claimed = [
        c.table_name, c.seed_id, c.column_name, position.label("position"), c.value, c.stands,
        live_id.label("live_id"), later.label("later"),
    ]  # fmt: skip
    rows = sa.select(*claimed).where(c.stands.is_not(None)).distinct().subquery("claim")
    names = ["table_name", "seed_id", "column_name", "position", "value", "stands", "live_id"]
    claims = (
        sa.select(*(rows.c[name] for name in names))
        .where(rows.c.position > 0, rows.c.position <= plan.target)
        .order_by(rows.c.position, rows.c.table_name, rows.c.seed_id, rows.c.column_name, rows.c.later)
    )
    yield Statement(sa.insert(seed_claims).from_select(names, claims))


def _place(plan: Plan) -> ColumnElement[Any]:
    """Where a claim of a way down belongs: a way up, had it met the same, would have put it there.

    | what is claimed | position |
    |---|---|
    | a row that stays behind, or its cells | the target |
    | a row that comes, or is left out | its birth |
    | a row that is missed | the last revision that gave it one of the cells that it has not got |
    | a cell of a row that comes | the row's birth |
    | any other cell, and a cut link | the last revision that gave the cell its value, or the row's birth |
    """
    c, place, other = cells.c, places.alias("place"), cells.alias("other")
    of_row = same_row(place, cells)
    cut = c.verdict.in_([CUTS, WHOLE])
    enters = sa.or_(c.way == ENTERS, c.fate == LEFT_OUT)
    column = sa.case((cut, c.column_name), (enters, EXISTS), else_=c.column_name)
    own = sa.select(place.c.position).where(of_row, place.c.column_name == column)
    born = sa.select(place.c.position).where(of_row, place.c.column_name == EXISTS)
    # A row that is missed: the last of the revisions that gave it what it has not got.
    columns = sa.select(other.c.column_name).where(same_row(other, cells), other.c.column_name != EXISTS)
    last = sa.select(sa.func.max(place.c.position)).where(
        of_row, place.c.column_name.in_(columns.correlate(cells))
    )
    at_target = sa.func.coalesce(
        sa.and_(
            c.fate.in_([GOES, KEPT, GIVEN_BACK, IS_GONE, REFERENCED]), ~sa.func.coalesce(cut, sa.false())
        ),
        sa.false(),
    )
    missed = sa.and_(c.column_name == EXISTS, sa.func.coalesce(c.fate, "").not_in([ADOPTED, LEFT_OUT]))
    # A column that no revision has set since is as old as its row.
    since = sa.case(
        (missed, last.correlate(cells).scalar_subquery()),
        else_=own.correlate(cells).scalar_subquery(),
    )
    return sa.case(
        (at_target, sa.literal(plan.claimed_at)),
        else_=sa.func.coalesce(since, born.correlate(cells).scalar_subquery()),
    )


# -- arrived ---------------------------------------------------------------------------------------------


def arrived(plan: Plan) -> Iterator[Statement]:
    """How many staged rows are not as they were written: a trigger or a rule may drop or change a write.

    Where nothing watches the tables, the inserts' row counts say the same for less.
    """
    for table in plan.tables:
        if table.may(INSERT) and plan.watched:
            yield _missed(table, INSERT, _not_inserted(plan, table))
        if table.may(UPDATE) and table.writable:
            yield _missed(table, UPDATE, _not_updated(plan, table))
        if table.may(DELETE):
            stage = table.stage
            still = sa.exists().where(table.live_id == stage.c.live_id)
            yield _missed(table, DELETE, sa.and_(stage.c.action == DELETE, still))


def _missed(table: StagedTable, action: str, missed: ColumnElement[bool]) -> Statement:
    count = sa.select(sa.func.count()).select_from(table.stage).where(missed)
    return Statement(count, missed=(table.name, action))


def _not_inserted(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    stage = table.stage
    same = [equal(plan, table, name, table.live.c[name], stage.c["n_" + name]) for name in table.columns]
    return sa.and_(stage.c.action == INSERT, ~sa.exists().where(table.live_id == stage.c.seed_id, *same))


def _not_updated(plan: Plan, table: StagedTable) -> ColumnElement[bool]:
    stage, names = table.stage, table.writable
    changed = {name: stage.c["r_" + name].is_not(None) for name in names}
    same = [
        sa.or_(~changed[name], equal(plan, table, name, table.live.c[name], stage.c["n_" + name]))
        for name in names
    ]
    there = sa.exists().where(table.live_id == stage.c.live_id, *same)
    return sa.and_(stage.c.action == UPDATE, sa.or_(*changed.values()), ~there)
