"""A move as one SQL program: resolve, check, apply, record; the same statements online and offline.

Each function yields statements for tables that are staged already; parents come before children. Nothing
here runs anything, and no statement walks live rows one by one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from app.seeding.dialects import SeedDialect
from app.seeding.ledger import seed_ledger, seed_state
from app.seeding.stage import StagedTable
from app.seeding.tables import Reference

conflicts = sa.Table(
    "seed_conflict",
    sa.MetaData(),
    sa.Column("kind", sa.Text(), nullable=False),
    sa.Column("table_name", sa.Text(), nullable=False),
    sa.Column("seed_id", sa.Uuid(), nullable=False),
    sa.Column("column_name", sa.Text(), nullable=False),
    sa.Column("wanted", sa.Text()),
    sa.Column("found", sa.Text()),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""Every conflict of a move, collected before anything is written."""


@dataclass(frozen=True)
class Statement:
    """One statement of the program; `counts` names the tally that its row count belongs to."""

    sql: sa.Executable
    counts: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """What the program is generated for.

    `tables` are in foreign-key order. `references` are all foreign keys that point at them, `unseeded`
    the other live columns with their literal defaults as SQL, `parents` the live tables that seeded
    foreign keys lead to, each with its id as the only column. `target` is the rail position at which the
    move ends.
    """

    tables: Sequence[StagedTable]
    references: Mapping[str, Sequence[Reference]]
    unseeded: Mapping[str, Mapping[str, str]]
    parents: Mapping[str, sa.Table]
    upgrade: bool
    target: int
    dialect: SeedDialect

    def staged(self, name: str) -> StagedTable | None:
        """The staged table of that name, if the move touches it."""
        return next((table for table in self.tables if table.name == name), None)


def resolve(plan: Plan) -> Iterator[Statement]:
    """Find each staged row's live row, adopt those that are there already, and follow adopted parents."""
    for table in plan.tables:
        if not plan.upgrade:
            yield from _recall(plan, table)
        yield from _follow(table, own=False)
        yield from _drop_missing_links(plan, table)
        yield from _match(table)
        yield from _follow(table, own=True)


def check(plan: Plan) -> Iterator[Statement]:
    """Collect every conflict between what the seed expects and what is there."""
    for table in plan.tables:
        if table.counts["insert"]:
            yield from _check_inserts(plan, table)
        if table.counts["update"]:
            yield from _check_updates(plan, table)
        if table.counts["delete"]:
            yield from _check_deletes(plan, table)
        yield from _check_links(plan, table)


def apply(plan: Plan) -> Iterator[Statement]:
    """Write: what the ledger must remember, then inserts, updates and deletes in foreign-key order."""
    for table in plan.tables:
        yield from _remember(plan, table)
    for table in plan.tables:
        if table.counts["insert"]:
            yield _insert(table)
    for table in plan.tables:
        if table.counts["update"] and table.updated:
            yield _update(table)
    for table in reversed(plan.tables):
        if table.counts["delete"]:
            yield from _release(plan, table)
            yield _delete(table)
    for table in plan.tables:
        yield from _forget(plan, table)


def record(sets: Iterable[str], revision: str, sha256: str, *, cleared: bool) -> Iterator[Statement]:
    """Say in `seed_state` what the sets now hold; `cleared` when that is nothing."""
    names = sorted(sets)
    yield Statement(sa.delete(seed_state).where(seed_state.c.seed_set.in_(names)))
    if not cleared:
        for name in names:
            yield Statement(sa.insert(seed_state).values(seed_set=name, revision=revision, sha256=sha256))


# -- resolve ---------------------------------------------------------------------------------------


def _recall(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """On the way down: rows that were absent stay absent, columns get back what was there."""
    if table.counts["insert"]:
        stage = table.inserts
        absent = _entries(table, stage.c.seed_id, "absent").where(seed_ledger.c.position > plan.target)
        yield Statement(sa.delete(stage).where(absent.exists()), ("still absent", table.name))
    if table.counts["update"]:
        stage = table.updates
        for name in sorted(table.updated):
            entries = _entries(table, stage.c.seed_id, "same", name).where(
                seed_ledger.c.position > plan.target
            )
            earliest = (
                entries.with_only_columns(seed_ledger.c.pre_image)
                .order_by(seed_ledger.c.position)
                .limit(1)
                .scalar_subquery()
            )
            value = plan.dialect.from_ledger(earliest, stage.c["n_" + name].type)
            yield Statement(sa.update(stage).values({"n_" + name: value}).where(entries.exists()))


def _follow(table: StagedTable, *, own: bool) -> Iterator[Statement]:
    """Make staged foreign keys hold the live id of parents that were adopted under another id."""
    for name, key in table.frozen.foreign_keys.items():
        if name not in table.columns or (key.table == table.name) != own:
            continue
        for kind, prefixes in (("insert", "n"), ("update", "on"), ("delete", "o")):
            if not table.counts[kind] or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            for prefix in prefixes:
                column = stage.c[f"{prefix}_{name}"]
                yield Statement(
                    sa.update(stage)
                    .values({column.name: seed_ledger.c.live_id})
                    .where(
                        seed_ledger.c.table_name == key.table,
                        seed_ledger.c.seed_id == column,
                        seed_ledger.c.outcome == "adopted",
                    )
                )


def _drop_missing_links(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Optional links (to users) whose row is absent become NULL; the number is reported."""
    for name, key in table.frozen.foreign_keys.items():
        if not key.optional or name not in table.columns:
            continue
        parent = plan.parents[key.table]
        for kind in ("insert", "update"):
            if not table.counts[kind] or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            column = stage.c["n_" + name]
            there = sa.exists().where(_id_of(parent) == column)
            yield Statement(
                sa.update(stage).values({column.name: sa.null()}).where(column.is_not(None), ~there),
                ("unlinked", key.table),
            )


def _match(table: StagedTable) -> Iterator[Statement]:
    """Live rows by seed id, by natural key, or by the ledger; and adopt what an insert meets."""
    live = table.live
    if table.counts["insert"]:
        stage = table.inserts
        by_key = [live.c[name] == stage.c["n_" + name] for name in table.frozen.key]
        for found in ([table.live_id == stage.c.seed_id], by_key):
            yield Statement(
                sa.update(stage).values(live_id=table.live_id).where(stage.c.live_id.is_(None), *found)
            )
        yield Statement(
            _into_ledger(
                table,
                sa.select(stage).where(stage.c.live_id.is_not(None)),
                seed_id=stage.c.seed_id,
                position=stage.c.position,
                outcome="adopted",
                live_id=stage.c.live_id,
            ),
            ("adopted", table.name),
        )
    for kind in ("update", "delete"):
        if table.counts[kind]:
            stage = table.by_kind(kind)
            yield Statement(
                sa.update(stage)
                .values(live_id=seed_ledger.c.live_id)
                .where(
                    seed_ledger.c.table_name == table.name,
                    seed_ledger.c.seed_id == stage.c.seed_id,
                    seed_ledger.c.outcome == "adopted",
                )
            )


# -- check -----------------------------------------------------------------------------------------


def _check_inserts(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`exists`: a row is there under the seed id or the natural key, and differs."""
    stage, live = table.inserts, table.live
    for name in table.columns:
        wanted = stage.c["n_" + name]
        same = _equal(plan, table, name, wanted)
        yield _conflict(
            plan,
            "exists",
            table,
            name,
            sa.select(stage).join(live, table.live_id == stage.c.live_id).where(~same),
            stage.c.seed_id,
            wanted,
            live.c[name],
        )


def _check_updates(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`deleted`: the row is gone; `edited`: a column is neither what it was nor what it shall be."""
    stage, live = table.updates, table.live
    there = sa.exists().where(table.live_id == stage.c.live_id)
    yield _conflict(plan, "deleted", table, "", sa.select(stage).where(~there), stage.c.seed_id, None, None)
    for name in sorted(table.updated):
        old, new = stage.c["o_" + name], stage.c["n_" + name]
        expected = sa.or_(_equal(plan, table, name, old), _equal(plan, table, name, new))
        yield _conflict(
            plan,
            "edited",
            table,
            name,
            sa.select(stage)
            .join(live, table.live_id == stage.c.live_id)
            .where(stage.c["r_" + name].is_not(None), ~expected),
            stage.c.seed_id,
            new,
            live.c[name],
        )


def _check_deletes(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`edited`: a row that would go is not as seeded; `referenced`: others still point at it."""
    stage, live = table.deletes, table.live
    ours = ~_adopted(table, stage)
    rows = sa.select(stage).join(live, table.live_id == stage.c.live_id)
    for name in table.columns:
        old = stage.c["o_" + name]
        same = _equal(plan, table, name, old)
        yield _conflict(
            plan, "edited", table, name, rows.where(ours, ~same), stage.c.seed_id, old, live.c[name]
        )
        pre = _entries(table, stage.c.seed_id, "changed", name)
        kept = plan.dialect.from_ledger(
            pre.with_only_columns(seed_ledger.c.pre_image).limit(1).scalar_subquery(),
            live.c[name].type,
        )
        yield _conflict(
            plan,
            "edited",
            table,
            name,
            rows.where(pre.exists(), ~same, ~_equal(plan, table, name, kept)),
            stage.c.seed_id,
            kept,
            live.c[name],
        )
        if not plan.upgrade:
            users = _entries(table, stage.c.seed_id, "same", name).where(seed_ledger.c.position > plan.target)
            yield _conflict(
                plan,
                "edited",
                table,
                name,
                rows.where(ours, same, users.exists()),
                stage.c.seed_id,
                old,
                live.c[name],
            )
    for name, default in plan.unseeded.get(table.name, {}).items():
        found = live.c[name]
        differs = found.is_distinct_from(sa.literal_column(f"({default})"))
        yield _conflict(
            plan,
            "edited",
            table,
            name,
            rows.where(ours, differs),
            stage.c.seed_id,
            sa.literal_column(f"({default})"),
            found,
        )
    for reference in plan.references.get(table.name, ()):
        yield _check_reference(plan, table, reference)


def _check_reference(plan: Plan, table: StagedTable, reference: Reference) -> Statement:
    stage = table.deletes
    child = plan.staged(reference.table) if reference.schema is None else None
    names = dict.fromkeys(reference.columns)
    if child:
        names[child.frozen.id] = None
    other = sa.table(reference.table, *(sa.column(name) for name in names), schema=reference.schema).alias(
        "other"
    )
    points = [
        other.c[column] == table.live.c[target]
        for column, target in zip(reference.columns, reference.target, strict=True)
    ]
    stays = _stays(child, other, table, reference) if child else []
    rows = (
        sa.select(stage)
        .join(table.live, table.live_id == stage.c.live_id)
        .join(other, sa.and_(*points))
        .where(~_adopted(table, stage), *stays)
        .group_by(stage.c.seed_id)
    )
    where = reference.table + "." + ",".join(reference.columns)
    if reference.schema:
        where = reference.schema + "." + where
    return _conflict(
        plan,
        "referenced",
        table,
        "",
        rows,
        stage.c.seed_id,
        sa.literal(where),
        sa.func.count(),
    )


def _stays(
    child: StagedTable, other: Any, table: StagedTable, reference: Reference
) -> list[ColumnElement[bool]]:
    """Conditions for a referencing row that this move neither deletes nor points elsewhere."""
    conditions: list[ColumnElement[bool]] = []
    identity = other.c[child.frozen.id]
    if child.counts["delete"]:
        going = sa.select(child.deletes.c.live_id).where(~_adopted(child, child.deletes))
        if child is table:
            # The same staging table stands in the outer query.
            deletes = child.deletes.alias("going")
            going = sa.select(deletes.c.live_id).where(~_adopted(child, deletes))
        conditions.append(identity.not_in(going))
    column = reference.columns[0]
    if child.counts["update"] and column in child.updated:
        moved = child.updates.alias("moved")
        conditions.append(
            identity.not_in(
                sa.select(moved.c.live_id).where(
                    moved.c["r_" + column].is_not(None),
                    moved.c["n_" + column].is_distinct_from(table.deletes.c.live_id),
                )
            )
        )
    return conditions


def _check_links(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """`unlinked`: the row that a staged foreign key leads to is not there."""
    for name, key in table.frozen.foreign_keys.items():
        if key.optional or name not in table.columns:
            continue
        parent = plan.parents[key.table]
        staged = plan.staged(key.table)
        for kind in ("insert", "update"):
            if not table.counts[kind] or (kind == "update" and name not in table.updated):
                continue
            stage = table.by_kind(kind)
            column = stage.c["n_" + name]
            there: ColumnElement[bool] = sa.exists().where(_id_of(parent) == column)
            if staged and staged.counts["insert"]:
                new = staged.inserts.alias("new")
                there = sa.or_(there, sa.exists().where(new.c.seed_id == column))
            yield _conflict(
                plan,
                "unlinked",
                table,
                name,
                sa.select(stage).where(column.is_not(None), ~there),
                stage.c.seed_id,
                column,
                None,
            )


# -- apply -----------------------------------------------------------------------------------------


def _remember(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Ledger rows for what the move meets: columns already set, adopted rows, absent rows."""
    live = table.live
    if table.counts["update"]:
        stage = table.updates
        rows = sa.select(stage).join(live, table.live_id == stage.c.live_id)
        for name in sorted(table.updated):
            changed = rows.where(stage.c["r_" + name].is_not(None))
            already = _equal(plan, table, name, stage.c["n_" + name])
            columns = {
                "seed_id": stage.c.seed_id,
                "column_name": name,
                "position": stage.c["r_" + name],
                "live_id": stage.c.live_id,
                "pre_image": plan.dialect.to_ledger(live.c[name]),
            }
            if plan.upgrade:
                yield Statement(_into_ledger(table, changed.where(already), outcome="same", **columns))
            fresh = ~_entries(table, stage.c.seed_id, "changed", name).exists()
            yield Statement(
                _into_ledger(
                    table,
                    changed.where(~already, _adopted(table, stage), fresh),
                    outcome="changed",
                    **columns,
                )
            )
    if table.counts["delete"] and plan.upgrade:
        stage = table.deletes
        there = sa.exists().where(table.live_id == stage.c.live_id)
        yield Statement(
            _into_ledger(
                table,
                sa.select(stage).where(~there, ~_adopted(table, stage)),
                seed_id=stage.c.seed_id,
                position=stage.c.position,
                outcome="absent",
                live_id=sa.null(),
            ),
            ("absent", table.name),
        )


def _insert(table: StagedTable) -> Statement:
    stage = table.inserts
    names = [table.frozen.id, *table.columns]
    rows = sa.select(stage.c.seed_id, *(stage.c["n_" + name] for name in table.columns))
    return Statement(
        sa.insert(table.live).from_select(names, rows.where(stage.c.live_id.is_(None))),
        ("inserted", table.name),
    )


def _update(table: StagedTable) -> Statement:
    stage = table.updates
    values = {
        name: sa.case((stage.c["r_" + name].is_not(None), stage.c["n_" + name]), else_=table.live.c[name])
        for name in sorted(table.updated)
    }
    return Statement(
        sa.update(table.live).values(values).where(table.live_id == stage.c.live_id),
        ("updated", table.name),
    )


def _release(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Adopted rows get back what the seed changed in them, and stay."""
    stage = table.deletes
    for name in table.columns:
        yield Statement(
            sa.update(table.live)
            .values({name: plan.dialect.from_ledger(seed_ledger.c.pre_image, table.live.c[name].type)})
            .where(
                table.live_id == stage.c.live_id,
                seed_ledger.c.table_name == table.name,
                seed_ledger.c.seed_id == stage.c.seed_id,
                seed_ledger.c.column_name == name,
                seed_ledger.c.outcome == "changed",
                _equal(plan, table, name, stage.c["o_" + name]),
            )
        )


def _delete(table: StagedTable) -> Statement:
    stage = table.deletes
    ours = sa.select(stage.c.live_id).where(~_adopted(table, stage))
    return Statement(sa.delete(table.live).where(table.live_id.in_(ours)), ("deleted", table.name))


def _forget(plan: Plan, table: StagedTable) -> Iterator[Statement]:
    """Drop what the ledger no longer needs: rows that left the seed, revisions that were taken back."""
    if table.counts["delete"]:
        gone = sa.select(table.deletes.c.seed_id)
        yield Statement(
            sa.delete(seed_ledger).where(
                seed_ledger.c.table_name == table.name,
                seed_ledger.c.outcome.in_(["adopted", "changed"]),
                seed_ledger.c.seed_id.in_(gone),
            )
        )
    if not plan.upgrade:
        yield Statement(
            sa.delete(seed_ledger).where(
                seed_ledger.c.table_name == table.name,
                seed_ledger.c.outcome.in_(["same", "absent"]),
                seed_ledger.c.position > plan.target,
            )
        )


# -- parts -----------------------------------------------------------------------------------------


def _entries(table: StagedTable, seed_id: Any, outcome: str, column: str = "") -> sa.Select[Any]:
    """The ledger's rows of one outcome for an outer query's row."""
    return (
        sa.select(sa.literal_column("1"))
        .select_from(seed_ledger)
        .where(
            seed_ledger.c.table_name == table.name,
            seed_ledger.c.seed_id == seed_id,
            seed_ledger.c.column_name == column,
            seed_ledger.c.outcome == outcome,
        )
    )


def _adopted(table: StagedTable, stage: Any) -> ColumnElement[bool]:
    return _entries(table, stage.c.seed_id, "adopted").exists()


def _equal(plan: Plan, table: StagedTable, name: str, value: Any) -> ColumnElement[bool]:
    """Whether the live column holds a staged value; an optional link that was cut counts as unchanged."""
    column = table.live.c[name]
    same = plan.dialect.equal(table.frozen.columns[name].type, column, value)
    key = table.frozen.foreign_keys.get(name)
    return sa.or_(same, column.is_(None)) if key and key.optional else same


def _id_of(table: sa.Table) -> ColumnElement[Any]:
    return next(iter(table.c))


def _into_ledger(table: StagedTable, rows: sa.Select[Any], **values: Any) -> sa.Insert:
    entry = {"table_name": table.name, "column_name": "", "pre_image": sa.null(), **values}
    columns = [value if isinstance(value, ColumnElement) else sa.literal(value) for value in entry.values()]
    return sa.insert(seed_ledger).from_select(list(entry), rows.with_only_columns(*columns))


def _conflict(
    plan: Plan,
    kind: str,
    table: StagedTable,
    column: str,
    rows: sa.Select[Any],
    seed_id: Any,
    wanted: Any,
    found: Any,
) -> Statement:
    """Rows as conflicts; two rules that meet in one column of one row are listed once by the report."""

    def text(value: Any) -> ColumnElement[Any]:
        return sa.null() if value is None else plan.dialect.text(value)

    rows = rows.with_only_columns(
        sa.literal(kind),
        sa.literal(table.name),
        seed_id,
        sa.literal(column),
        text(wanted),
        text(found),
    )
    return Statement(sa.insert(conflicts).from_select(list(conflicts.c.keys()), rows))
