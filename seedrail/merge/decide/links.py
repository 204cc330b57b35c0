"""What depends on other rows: links to rows that are not there, and rows that others point at.

Asked when everything else is decided, but for `pass_by`, which takes rows out before. A link that leads
nowhere is cut; where it cannot be empty, its row is left out, or keeps the value that it has. A row that
would go stays where one that stays points at it, and so does a value that rows point by, whatever the policy
and their keys' actions say: CASCADE would take people's rows along, SET NULL would cut their links, and where
foreign keys are off nothing would stop either.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects import identifier
from seedrail.merge.decide.cases import CUTS, LEAVE, OWN
from seedrail.merge.decide.cells import (
    GIVEN_BACK,
    KEPT,
    LEFT_OUT,
    REFERENCED,
    cells,
    fills,
    passing,
    same_row,
    stand_in,
    touched_rows,
)
from seedrail.merge.ledger import ABSENT, CUT, EXISTS, OWNER, PRESENT
from seedrail.merge.plan import Plan, Statement, equal, is_there, leads
from seedrail.merge.stage import DELETE, INSERT, UPDATE, StagedTable
from seedrail.run_options import Policy
from seedrail.schema.tables import Reference

_CELL = [
    "table_name", "seed_id", "column_name", "live_id", "first", "given", "wanted", "found", "kind", "fate",
    "verdict", "stands", "value",
]  # fmt: skip


# -- rows that come at a stop to go again ----------------------------------------------------------------


def pass_by(plan: Plan) -> Iterator[Statement]:
    """At a stop on a way down, rows that are not the seed's where the way ends are in nobody's way.

    Those that are there are adopted without a question. Those that would come are left out, for a value that
    must be unique may be somebody's by now; unless a row that stays longer leads to one of them.
    """
    theirs = sa.select(passing.c.seed_id).where(same_row(passing, cells)).correlate(cells).exists()
    yield Statement(sa.update(cells).where(cells.c.column_name == EXISTS, theirs).values(passes=sa.true()))
    led_to = [lead for table in plan.tables for lead in _leads_to_passing(plan, table)]
    nobody_leads = sa.not_(sa.or_(*led_to, sa.false()))
    # At once for all tables: whether a row is touched is asked of the relation that this adds to.
    out = [
        _row_told(table, table.stage.c.position, sa.null(), LEFT_OUT, ABSENT).where(
            _passes(table, table.stage), table.stage.c.action == INSERT, nobody_leads
        )
        for table in plan.tables
    ]
    yield Statement(sa.insert(cells).from_select(_CELL, sa.union_all(*out)))
    for table in plan.tables:
        left = touched_rows(table, cells.c.fate == LEFT_OUT)
        yield Statement(
            sa.update(table.stage).values(action=sa.null()).where(table.stage.c.seed_id.in_(left))
        )


def _passes(table: StagedTable, stage: Any) -> ColumnElement[bool]:
    """Whether a staged row passes, and is nobody's."""
    mine = sa.select(passing.c.seed_id).where(passing.c.table_name == table.name)
    return sa.and_(stage.c.seed_id.in_(mine), stage.c.seed_id.not_in(touched_rows(table)))


def _leads_to_passing(plan: Plan, table: StagedTable) -> Iterator[ColumnElement[bool]]:
    """For each link, whether a row that does not pass leads to one that does."""
    for name, key in table.frozen.foreign_keys.items():
        parent = plan.staged(key.table)
        if parent is None or name not in table.columns:
            continue
        child, above = table.stage.alias("child"), parent.stage.alias("above")
        leads_to = child.c["n_" + name] == above.c.seed_id
        yield (
            sa.select(sa.literal_column("1"))
            .select_from(sa.join(child, above, leads_to))
            .where(~_passes(table, child), _passes(parent, above), above.c.action == INSERT)
            .exists()
        )


# -- links that lead nowhere -----------------------------------------------------------------------------


def cut(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Links of rows that come or change; required ones first, for they may cost a row that others lead to."""
    keys = table.frozen.foreign_keys
    links = [name for name in table.columns if name in keys and _may_break(plan, table, name)]
    for name in sorted(
        links, key=lambda name: (table.frozen.columns[name].nullable, keys[name].table == table.name)
    ):
        if table.frozen.columns[name].nullable:
            yield from _cut_link(plan, table, name)
        else:
            yield from _leave_out(plan, table, name)


def _may_break(plan: Plan, table: StagedTable, name: str) -> bool:
    if not (table.may(INSERT) or table.may(UPDATE)):
        # Nothing of it is written.
        return False
    if table.touched or table.released:
        return True
    parent = plan.staged(table.frozen.foreign_keys[name].table)
    if parent is not None and not parent.touched and not plan.source and not _may_lose(plan, parent):
        # A seed state is whole: what its rows point at is in it, so that it comes by this move too.
        return False
    return bool(table.counts[INSERT]) or name in table.updated


def _may_lose(plan: Plan, table: StagedTable) -> bool:
    """Whether rows may be left out for a link of their own, which leads to a set that does not move."""
    keys, columns = table.frozen.foreign_keys, table.frozen.columns
    required = (name for name in table.columns if name in keys and not columns[name].nullable)
    return any(keys[name].table != table.name and _may_break(plan, table, name) for name in required)


def _broken(plan: Plan, table: StagedTable, name: str) -> ColumnElement[bool]:
    """Staged rows that would be written with a link that leads nowhere."""
    link = table.stage.c["n_" + name]
    astray = sa.and_(link.is_not(None), ~leads(plan, table, name, link))
    if fills(plan, table, name):
        astray = sa.or_(astray, sa.and_(link.is_(None), _stand_in(plan, table, name).is_not(None)))
    return sa.and_(_written(table.stage, name), astray)


def _stand_in(plan: Plan, table: StagedTable, name: str) -> Any:
    """What a link that is cut gets; nobody stands in for what was somebody's, and comes back."""
    value, cell = stand_in(plan, table, name, table.stage), cells.alias("theirs")
    if not (fills(plan, table, name) and plan.knows(table.name)):
        return value
    of_cell = cell.c.table_name == table.name, cell.c.column_name == name
    theirs = sa.or_(cell.c.popped.is_not(None), cell.c.fate == GIVEN_BACK)
    mine = sa.select(cell.c.seed_id).where(*of_cell, cell.c.seed_id == table.stage.c.seed_id, theirs)
    return sa.case((mine.correlate(table.stage).exists(), sa.null()), else_=value)


def _written(stage: Any, name: str) -> ColumnElement[bool]:
    """Staged rows of which a column is written."""
    return sa.or_(stage.c.action == INSERT, _changes(stage, name))


def _changes(stage: Any, name: str) -> ColumnElement[bool]:
    """Staged rows that get another value in a column."""
    return sa.and_(stage.c.action == UPDATE, stage.c["r_" + name].is_not(None))


def _cut_link(plan: Plan, table: StagedTable, name: str) -> Iterator[Statement]:
    stage, broken = table.stage, _broken(plan, table, name)
    key = table.frozen.foreign_keys[name]
    value = _stand_in(plan, table, name)
    given = sa.func.coalesce(stage.c["g_" + name], stage.c.position)
    left = plan.dialect.to_ledger(value)
    kind = sa.null() if key.optional else sa.literal("unlinked")
    told = _told(plan, table, name, kind, sa.literal(CUTS), CUT, left, given)
    what = "links filled" if (table.name, name) in plan.stand_ins else "unlinked"
    where = table.name if what == "links filled" else key.table
    yield Statement(sa.insert(cells).from_select(_CELL, told.where(broken)), (what, where))
    yield Statement(sa.update(stage).values({"n_" + name: value}).where(broken))


def _told(
    plan: Plan, table: StagedTable, name: str, kind: Any, verdict: Any, stands: str, value: Any, first: Any
) -> sa.Select[Any]:
    """Staged rows as cells of one link."""
    stage = table.stage
    return sa.select(
        sa.literal(table.name), stage.c.seed_id, sa.literal(name), stage.c.live_id, first, first,
        plan.dialect.to_ledger(stage.c["n_" + name]), sa.null(), kind, sa.null(), verdict,
        sa.literal(stands), value,
    ).select_from(stage)  # fmt: skip


def _leave_out(plan: Plan, table: StagedTable, name: str) -> Iterator[Statement]:
    """A required link: its row is left out, or keeps the value that it has."""
    stage = table.stage
    broken = _broken(plan, table, name)
    if table.frozen.foreign_keys[name].table == table.name:
        broken = _unreachable(plan, table, name)
    given = sa.func.coalesce(stage.c["g_" + name], stage.c.position)
    found = plan.dialect.to_ledger(table.live.c[name])
    told = _told(plan, table, name, sa.literal("unlinked"), sa.literal(CUTS), CUT, found, given)
    told = told.outerjoin(table.live, table.live_id == stage.c.live_id)
    yield Statement(sa.insert(cells).from_select(_CELL, told.where(broken, stage.c.action == UPDATE)))
    yield Statement(sa.update(stage).values({"r_" + name: sa.null()}).where(broken, stage.c.action == UPDATE))
    out = _told(
        plan, table, name, sa.literal("unlinked"), sa.literal(LEAVE), "", sa.null(), stage.c.position
    ).where(broken, stage.c.action == INSERT)
    yield Statement(sa.insert(cells).from_select(_CELL, out))
    row = _row_told(table, stage.c.position, sa.null(), LEFT_OUT, ABSENT)
    yield Statement(sa.insert(cells).from_select(_CELL, row.where(broken, stage.c.action == INSERT)))
    yield Statement(sa.update(stage).values(action=sa.null()).where(broken, stage.c.action == INSERT))
    yield _alone(table, LEFT_OUT)


def _unreachable(plan: Plan, table: StagedTable, name: str) -> ColumnElement[bool]:
    """Rows with a link within their table that leads by no way of rows that come to one that is there."""
    stage = table.stage
    there = is_there(plan, table, name, stage.c["n_" + name])
    # From rows whose parent is there, down to those that come with them: a chain that hangs in the air, or a
    # circle, is never reached.
    reached = sa.select(stage.c.seed_id).where(stage.c.action == INSERT, there).cte("reached", recursive=True)
    child = stage.alias("child")
    reached = reached.union(
        sa.select(child.c.seed_id)
        .join(reached, reached.c.seed_id == child.c["n_" + name])
        .where(child.c.action == INSERT)
    )
    return sa.and_(_written(stage, name), ~there, stage.c.seed_id.not_in(sa.select(reached.c.seed_id)))


def _alone(table: StagedTable, fate: str) -> Statement:
    """The row's owner stands on top of all of it: what else was to be claimed of it is void."""
    c, row = cells.c, cells.alias("alone")
    rows = sa.select(row.c.seed_id).where(row.c.table_name == table.name, row.c.fate == fate)
    mine = c.table_name == table.name, c.seed_id.in_(rows), sa.func.coalesce(c.fate, "") != fate
    return Statement(sa.update(cells).where(*mine).values(stands=sa.null(), verdict=LEAVE))


# -- rows that others point at ---------------------------------------------------------------------------


def deciding(plan: Plan, table: StagedTable) -> tuple[list[Reference], frozenset[str] | None]:
    """The foreign keys whose rows decide what the move may do to a table, and the columns that it may change.

    The columns are None where rows may go: then every key counts.
    """
    references = plan.references.get(table.name, ())
    if table.counts[DELETE]:
        return list(references), None
    changing = set(table.updated)
    if table.counts[INSERT] and (plan.policy is Policy.OVERWRITE or plan.decisions or not plan.upgrade):
        # Rows that are there already may get the seed's values.
        changing |= set(table.columns)
    return [one for one in references if changing & _decisive(plan, table, one)], frozenset(changing)


def keep_values(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`referenced`: an update would change a value by which rows point at a live row."""
    stage, live = table.stage, table.live
    for name in table.writable if table.may(UPDATE) else ():
        keys = _keys_by(plan, table, name)
        for key in keys:
            new = stage.c["n_" + name]
            differs = ~equal(plan, table, name, live.c[name], new)
            rows = _pointed_at(table, key, _other(plan, key)).where(_changes(stage, name), differs)
            rows = rows.group_by(stage.c.seed_id).with_only_columns(
                stage.c.seed_id, sa.func.count().label("n")
            )
            counted = rows.subquery("counted")
            found = plan.dialect.to_ledger(live.c[name])
            told = _told(
                plan, table, name, sa.literal("referenced"), sa.literal(OWN), OWNER, found,
                sa.func.coalesce(stage.c["r_" + name], stage.c.position),
            )  # fmt: skip
            told = told.join(live, table.live_id == stage.c.live_id)
            told = told.join(counted, counted.c.seed_id == stage.c.seed_id)
            yield Statement(sa.insert(cells).from_select(_CELL, _numbered(plan, told, key, counted.c.n)))
        if keys:
            yield from _hold(table, name)


def _hold(table: StagedTable, name: str) -> Iterator[Statement]:
    """A value that rows point by stays: nothing is written, and nothing else is claimed of it."""
    c, cell = cells.c, cells.alias("by_which")
    by_which = sa.select(cell.c.seed_id).where(
        cell.c.table_name == table.name, cell.c.column_name == name, cell.c.kind == "referenced"
    )
    mine = c.table_name == table.name, c.column_name == name, c.seed_id.in_(by_which)
    other = sa.func.coalesce(c.kind, "") != "referenced"
    yield Statement(sa.update(cells).where(*mine, other).values(stands=sa.null(), verdict=LEAVE))
    rows = table.stage.c.seed_id.in_(by_which)
    yield Statement(sa.update(table.stage).values({"r_" + name: sa.null()}).where(rows))


def _numbered(plan: Plan, told: sa.Select[Any], key: Reference, n: Any) -> sa.Select[Any]:
    """The cells of a conflict about rows that point: which key, and how many."""
    columns = list(told.selected_columns)
    columns[_CELL.index("wanted")] = sa.literal(str(key), sa.Text())
    columns[_CELL.index("found")] = plan.dialect.text(n)
    return told.with_only_columns(*columns)


def keep_rows(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`referenced`: rows that stay point at a row that would go, whatever the key's ON DELETE says."""
    if not table.may(DELETE):
        return
    stage = table.stage
    for key in plan.references.get(table.name, ()):
        child, found = _child(plan, key), list(_coming_to_point(plan, table, key))
        if child is None or not child.emptied:
            other = _other(plan, key)
            live = _pointed_at(table, key, other).where(*_staying(plan, key, other))
            live = live.where(stage.c.action == DELETE)
            found.append(live.with_only_columns(stage.c.seed_id.label("seed_id")))
        if not found:
            continue
        each = sa.union_all(*found).subquery("pointing")
        counted = (
            sa.select(each.c.seed_id, sa.func.count().label("n")).group_by(each.c.seed_id).subquery("counted")
        )
        told = _referenced(plan, table).join(counted, counted.c.seed_id == stage.c.seed_id)
        yield Statement(sa.insert(cells).from_select(_CELL, _numbered(plan, told, key, counted.c.n)))
    yield from _keep(plan, table)
    for name, own in table.frozen.foreign_keys.items():
        if own.table == table.name and name in table.columns:
            yield from _keep_parents(plan, table, name)


def count_staying(table: StagedTable) -> sa.Select[Any]:
    """Whether rows of a table stay: one count, no longer than that of its staged deletes."""
    stage = table.stage
    ours = sa.select(sa.func.count().label("n")).join_from(
        stage, table.live, table.live_id == stage.c.live_id
    )
    # Asked for twice below, and counted once.
    counted = ours.where(stage.c.action == DELETE).cte("going")
    going = sa.select(counted.c.n).scalar_subquery()
    some = sa.select(table.live_id).limit(going + 1).subquery()
    left = sa.select(sa.func.count()).select_from(some).scalar_subquery()
    return sa.select(left - going)


def _row_told(table: StagedTable, first: Any, kind: Any, fate: str, value: str) -> sa.Select[Any]:
    """Staged rows as EXISTS cells, of which the owner stands on top since."""
    stage = table.stage
    return sa.select(
        sa.literal(table.name), stage.c.seed_id, sa.literal(EXISTS), stage.c.live_id, first, first,
        sa.null(), sa.null(), kind, sa.literal(fate), sa.null(), sa.literal(OWNER),
        sa.literal(value, sa.Text()),
    ).select_from(stage)  # fmt: skip


def _referenced(plan: Plan, table: StagedTable) -> sa.Select[Any]:
    """Staged rows as EXISTS cells of rows that are kept because others point at them."""
    first: Any = table.stage.c.position if plan.upgrade else sa.literal(plan.claimed_at)
    return _row_told(table, first, sa.literal("referenced"), REFERENCED, PRESENT)


def _keep(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    stage = table.stage
    held = sa.select(cells.c.seed_id).where(cells.c.table_name == table.name, cells.c.fate == REFERENCED)
    yield Statement(
        sa.update(stage).values(action=sa.null()).where(stage.c.action == DELETE, stage.c.seed_id.in_(held)),
        ("kept", table.name),
    )
    yield _alone(table, REFERENCED)


def _keep_parents(plan: Plan, table: StagedTable, name: str) -> Iterator[Statement]:
    """A row that is kept keeps the rows that it points at within its table, and those that these point at."""
    stage, live = table.stage, table.live
    kept = sa.select(cells.c.live_id).where(
        cells.c.table_name == table.name, cells.c.fate.in_([REFERENCED, KEPT])
    )
    above = sa.select(live.c[name].label("id")).where(table.live_id.in_(kept)).cte("above", recursive=True)
    parent = live.alias("parent")
    above = above.union(sa.select(parent.c[name]).join(above, parent.c[table.frozen.id] == above.c.id))
    told = _referenced(plan, table).where(
        stage.c.action == DELETE, stage.c.live_id.in_(sa.select(above.c.id))
    )
    key, child = Reference(table.name, (name,), (table.frozen.id,)), live.alias("child")
    stays = sa.or_(child.c[table.frozen.id].in_(kept), child.c[table.frozen.id].in_(sa.select(above.c.id)))
    children = sa.select(sa.func.count()).where(child.c[name] == stage.c.live_id, stays)
    number = children.correlate(stage).scalar_subquery()
    yield Statement(sa.insert(cells).from_select(_CELL, _numbered(plan, told, key, number)))
    yield from _keep(plan, table)


def pointing_rows(plan: Plan, table: StagedTable, reference: Reference, seed_id: UUID) -> sa.Select[Any]:
    """The primary keys, as text, of live rows that a `referenced` conflict of a staged row counts."""
    other, stage = _other(plan, reference), table.stage
    identity: list[Any] = [plan.dialect.text(other.c[name]) for name in reference.identity]
    rows = _pointed_at(table, reference, other).where(stage.c.seed_id == seed_id)
    rows = rows.where(*_staying(plan, reference, other))
    return rows.with_only_columns(*identity).order_by(*identity)


def unheld(plan: Plan, table: StagedTable, name: str) -> list[ColumnElement[bool]]:
    """Conditions for a live row that nobody points at by its value of a column; none where no key does."""
    conditions: list[ColumnElement[bool]] = []
    for key in _keys_by(plan, table, name):
        other = _other(plan, key)
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(other)
        part = _part(table, key)
        if part is None:
            found = found.where(*_points(table.live, other, key))
        else:
            found = found.join(part, sa.and_(*_points(part, other, key)))
            found = found.where(part.c[table.frozen.id] == table.live_id)
        conditions.append(~found.correlate(table.live).exists())
    return conditions


def _keys_by(plan: Plan, table: StagedTable, name: str) -> list[Reference]:
    """The foreign keys that point at a seeded column: most point at the id alone, which never changes."""
    return [key for key in plan.references.get(table.name, ()) if name in _decisive(plan, table, key)]


def _decisive(plan: Plan, table: StagedTable, key: Reference) -> set[str]:
    """The columns whose change may change what a key points at: all where the database derives that."""
    target = set(key.target)
    return target | set(table.columns) if target & plan.derived.get(table.name, frozenset()) else target


def _other(plan: Plan, reference: Reference) -> Any:
    """The table that a foreign key belongs to, under a name of its own: it may be the seed table."""
    child = _child(plan, reference)
    names = dict.fromkeys([*reference.columns, *reference.identity, *([child.frozen.id] if child else [])])
    columns: list[Any] = [sa.column(name) for name in names]
    schema = reference.schema or plan.dialect.permanent
    return sa.table(reference.table, *columns, schema=schema).alias("other")


def _child(plan: Plan, reference: Reference) -> StagedTable | None:
    return plan.staged(reference.table) if reference.schema is None else None


def _part(table: StagedTable, reference: Reference) -> Any:
    """The inheriting table that a key names: its rows are the seed table's, its keys its own."""
    if reference.part is None:
        return None
    schema, name = reference.part
    columns: list[Any] = [sa.column(one) for one in dict.fromkeys([table.frozen.id, *reference.target])]
    return sa.table(name, *columns, schema=schema).alias("part")


def _points(target: Any, other: Any, reference: Reference) -> list[ColumnElement[bool]]:
    """By which values; the target's column stands first, for SQLite compares as that does."""
    return [
        _column(target, name) == other.c[column]
        for column, name in zip(reference.columns, reference.target, strict=True)
    ]


def _column(target: Any, name: str) -> Any:
    """A column that rows point at; a script's live table has those alone that were frozen."""
    if name in target.c:
        return target.c[name]
    return sa.literal_column(f"{identifier(target.name)}.{identifier(name)}")


def _pointed_at(table: StagedTable, reference: Reference, other: Any) -> sa.Select[Any]:
    """Staged rows with the rows that point at their live ones."""
    rows = sa.select(table.stage).join(table.live, table.live_id == table.stage.c.live_id)
    part = _part(table, reference)
    if part is not None:
        rows = rows.join(part, part.c[table.frozen.id] == table.live_id)
    target = table.live if part is None else part
    return rows.join(other, sa.and_(*_points(target, other, reference)))


def _staying(plan: Plan, reference: Reference, other: Any) -> Sequence[ColumnElement[bool]]:
    """Conditions for a referencing row that this move neither deletes nor points elsewhere.

    Each is a set of ids that is made once, whatever row it is asked of.
    """
    child = _child(plan, reference)
    if child is None:
        return []
    sets: list[sa.Select[Any]] = []
    column = reference.columns[0]
    if child.may(DELETE):
        going = child.stage.alias("going")
        sets.append(sa.select(going.c.live_id).where(going.c.action == DELETE))
    if child.may(UPDATE) and column in child.writable:
        moved, row = child.stage.alias("moved"), child.live.alias("row")
        sets.append(
            sa.select(row.c[child.frozen.id])
            .join_from(moved, row, row.c[child.frozen.id] == moved.c.live_id)
            .where(
                _changes(moved, column),
                ~plan.dialect.same(moved.c["n_" + column], row.c[column]),
            )
        )
    return [other.c[child.frozen.id].not_in(ids) for ids in sets]


def _coming_to_point(plan: Plan, table: StagedTable, reference: Reference) -> Iterator[sa.Select[Any]]:
    """Staged rows that will point at a row that would go: they come, or are given back such a link."""
    child = _child(plan, reference)
    if child is None or reference.target != (table.frozen.id,) or reference.columns[0] not in child.columns:
        return
    column, going, new = reference.columns[0], table.stage, child.stage.alias("coming")
    if not (child.may(INSERT) or child.may(UPDATE)):
        return
    already = sa.exists().where(
        child.live.c[child.frozen.id] == new.c.live_id, child.live.c[column] == going.c.live_id
    )
    yield (
        sa.select(going.c.seed_id)
        .join_from(going, new, new.c["n_" + column] == going.c.live_id)
        .where(going.c.action == DELETE, _written(new, column), ~already)
    )
