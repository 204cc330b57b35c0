"""References: rows that point at what a move would delete or change, whatever their keys' actions say.

CASCADE would take people's rows along, SET NULL would cut their links, and where foreign keys are off nothing
would stop either. So a row that others point at stays, and so does a value that they point by.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects import identifier
from seedrail.merge.program.parts import (
    Plan,
    Statement,
    conflict,
    entries,
    equal,
    given_back,
    pre_image,
)
from seedrail.merge.stage import StagedTable
from seedrail.run_options import Policy
from seedrail.schema.tables import Reference


def deciding(plan: Plan, table: StagedTable) -> tuple[list[Reference], frozenset[str] | None]:
    """The foreign keys whose rows decide what the move may do to a table, and the columns that it may change.

    The columns are None where rows may go: then every key counts.
    """
    references = plan.references.get(table.name, ())
    if table.has("delete"):
        return list(references), None
    changing = set(table.updated)
    if table.has("insert") and (plan.policy is Policy.OVERWRITE or not plan.upgrade):
        # Rows that are there already may get the seed's values.
        changing |= set(table.columns)
    return [one for one in references if changing & _decisive(plan, table, one)], frozenset(changing)


def check_changes(plan: Plan, table: StagedTable, kind: str) -> Iterator[Statement]:
    """`referenced`: staged inserts or updates would change a value by which rows point at a live row."""
    stage = table.by_kind(kind)
    for name in sorted(table.updated) if kind == "update" else table.columns:
        keys = _keys_by(plan, table, name)
        if keys and kind == "update":
            written: list[ColumnElement[bool]] = [
                stage.c.outcome.is_(None),
                stage.c["r_" + name].is_not(None),
            ]
        elif keys:
            taken = entries(table, stage.c.seed_id, ["changed"], name).exists()
            back = sa.and_(stage.c.outcome == "released", taken)
            theirs = stage.c.outcome == "adopted"
            written = [sa.or_(back, theirs) if plan.policy is Policy.OVERWRITE else back]
        for key in keys:
            changed = ~equal(plan, table, name, stage.c["n_" + name])
            yield _by_value(plan, table, key, stage, name, [*written, changed])


def check_give_back(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`referenced`: a row that goes back to its owner would get a value back, and rows point by the other."""
    stage = table.deletes
    for name in table.columns:
        for key in _keys_by(plan, table, name):
            before = entries(table, stage.c.seed_id, ["changed"], name)
            given = pre_image(plan, table, name, before)
            changed = [
                stage.c.outcome == "adopted",
                before.exists(),
                equal(plan, table, name, stage.c["o_" + name]),
                ~equal(plan, table, name, given),
            ]
            yield _by_value(plan, table, key, stage, name, changed)


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


def check_deletes(plan: Plan, table: StagedTable, probed: set[str]) -> Iterator[Statement]:
    """The foreign keys that lead to rows that would go, but for those of tables that all rows would leave."""
    for reference in plan.references.get(table.name, ()):
        child = _child(plan, reference)
        if child is not None and child.name not in probed:
            probed.add(child.name)
            yield _probe_stays(child)
        if child is None or plan.may("stay", child.name):
            yield _check_delete(plan, table, reference)


def pointing_rows(
    plan: Plan, table: StagedTable, reference: Reference, seed_id: UUID, kind: str
) -> sa.Select[Any]:
    """The primary keys, as text, of rows that a `referenced` conflict of a staged row of that kind counts."""
    other, stage = _other(plan, reference), table.by_kind(kind)
    identity: list[Any] = [plan.dialect.text(other.c[name]) for name in reference.identity]
    rows = _pointed_at(table, reference, stage, other).where(stage.c.seed_id == seed_id)
    if kind == "delete":
        rows = rows.where(*_staying(plan, reference, other))
    return rows.with_only_columns(*identity).order_by(*identity)


def _keys_by(plan: Plan, table: StagedTable, name: str) -> list[Reference]:
    """The foreign keys that point at a seeded column: most point at the id alone, which never changes."""
    return [key for key in plan.references.get(table.name, ()) if name in _decisive(plan, table, key)]


def _decisive(plan: Plan, table: StagedTable, key: Reference) -> set[str]:
    """The columns whose change may change what a key points at: all where the database derives that."""
    target = set(key.target)
    return target | set(table.columns) if target & plan.derived.get(table.name, frozenset()) else target


def _by_value(
    plan: Plan,
    table: StagedTable,
    reference: Reference,
    stage: sa.Table,
    name: str,
    changed: Sequence[ColumnElement[bool]],
) -> Statement:
    rows = _pointed_at(table, reference, stage, _other(plan, reference))
    rows = rows.where(*changed).group_by(stage.c.seed_id)
    return conflict(plan, "referenced", table, name, rows, sa.literal(str(reference)), sa.func.count())


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


def _check_delete(plan: Plan, table: StagedTable, reference: Reference) -> Statement:
    """`referenced`: rows that stay point at a row that would go, whatever the key's ON DELETE says."""
    stage, other = table.deletes, _other(plan, reference)
    rows = _pointed_at(table, reference, stage, other).where(*_staying(plan, reference, other))
    rows = rows.where(stage.c.outcome.is_(None)).group_by(stage.c.seed_id)
    return conflict(plan, "referenced", table, "", rows, sa.literal(str(reference)), sa.func.count())


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


def _pointed_at(table: StagedTable, reference: Reference, stage: sa.Table, other: Any) -> sa.Select[Any]:
    """Staged rows with the rows that point at their live ones."""
    rows = sa.select(stage).join(table.live, table.live_id == stage.c.live_id)
    part = _part(table, reference)
    if part is not None:
        rows = rows.join(part, part.c[table.frozen.id] == table.live_id)
    target = table.live if part is None else part
    return rows.join(other, sa.and_(*_points(target, other, reference)))


def _staying(plan: Plan, reference: Reference, other: Any) -> Sequence[ColumnElement[bool]]:
    child = _child(plan, reference)
    return _stays(plan, child, other, reference) if child else []


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
