"""What the stages of the program share: the plan, statements, and the predicates that they must agree on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects import SeedDialect
from seedrail.merge.ledger import seed_ledger
from seedrail.merge.stage import StagedTable
from seedrail.merge.standins import StandIns
from seedrail.run_options import Policy
from seedrail.schema.tables import Reference
from seedrail.schema.uniques import Unique

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
    """One statement of the program; `counts` names the tally that its row count belongs to.

    A `probe` is a query for a number, so that later statements can be left out. It is made where `Plan.may`
    asks for the number: online and under `abort`. `missed` is said of a query for the number of rows of a
    table (and of what was to happen to them) that a write has left out: it must be 0.
    """

    sql: sa.Executable
    counts: tuple[str, str] | None = None
    probe: bool = False
    missed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """What the program is generated for.

    `tables` are in foreign-key order. `references` are all foreign keys that point at them, `derived` the
    columns that the database computes of others, `unseeded` the other live columns with their constant
    defaults as SQL, `parents` the live tables that seeded foreign keys lead to, each with its id as the only
    column, `uniques` the unique constraints of each. `from_nothing` says that the move's source holds no seed
    rows, `source` and `target` are the rail positions at which it begins and ends. `watched` says that
    triggers or rules may act on what is written, as they may in a script's unknown database. `seen` counts,
    online, what the statements before have met. `stand_ins` are what optional links fall back to.
    """

    tables: Sequence[StagedTable]
    references: Mapping[str, Sequence[Reference]]
    derived: Mapping[str, frozenset[str]]
    unseeded: Mapping[str, Mapping[str, str]]
    uniques: Mapping[str, Sequence[Unique]]
    parents: Mapping[str, sa.Table]
    upgrade: bool
    from_nothing: bool
    target: int
    dialect: SeedDialect
    policy: Policy
    watched: bool = True
    seen: Mapping[tuple[str, str], int] | None = None
    source: int = 0
    stand_ins: StandIns = field(default_factory=dict)

    def may(self, what: str, table: str) -> bool:
        """Whether there may be rows of a kind.

        They are `known` to the ledger, `met` by an insert, `touched` by somebody before an update, `edited`
        before a delete, or `stay` whatever the move deletes.

        Online and under `abort`, where nothing is settled on the way, the counts so far tell. A clean load
        is spared most of the program by this; a script for an unknown database has all of it.
        """
        return self.seen is None or self.policy is not Policy.ABORT or self.seen[what, table] > 0

    def staged(self, name: str) -> StagedTable | None:
        """The staged table of that name, if the move touches it."""
        return next((table for table in self.tables if table.name == name), None)


def parents_of(tables: Sequence[StagedTable]) -> dict[str, sa.Table]:
    """The live tables that seeded foreign keys lead to, each with its id as the only column."""
    return {
        key.table: sa.Table(key.table, sa.MetaData(), sa.Column(key.column, sa.Uuid()))
        for table in tables
        for key in table.frozen.foreign_keys.values()
    }


def entries(table: StagedTable, seed_id: Any, outcomes: Sequence[str], column: str = "") -> sa.Select[Any]:
    """A ledger row of some outcomes for an outer query's row."""
    return _entries(table.name, seed_id, outcomes, column)


def _entries(table: str, seed_id: Any, outcomes: Sequence[str], column: str) -> sa.Select[Any]:
    # Looked up for each row by the ledger's whole key. PostgreSQL would make a join of it, did OFFSET not
    # forbid that, and may join by part of the key: nobody has counted the ledger's rows yet.
    return (
        sa.select(sa.literal_column("1"))
        .select_from(seed_ledger)
        .where(
            seed_ledger.c.table_name == table,
            seed_ledger.c.seed_id == seed_id,
            seed_ledger.c.column_name == column,
            seed_ledger.c.outcome.in_(outcomes),
        )
        .correlate_except(seed_ledger)
        .limit(1)
        .offset(0)
    )


def adopted(table: StagedTable, stage: Any) -> ColumnElement[bool]:
    """Whether a staged row stands for a live row that is not ours."""
    return entries(table, stage.c.seed_id, ["adopted"]).exists()


def adopted_as(table: str, seed_id: Any) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """The live id of a row that was adopted, which may be another than its seed id; and whether it was."""
    found = _entries(table, seed_id, ["adopted"], "")
    return found.with_only_columns(seed_ledger.c.live_id).scalar_subquery(), found.exists()


def pre_image(plan: Plan, table: StagedTable, name: str, found: sa.Select[Any]) -> ColumnElement[Any]:
    """What the earliest of some ledger rows kept of a column, as a value for it."""
    value = (
        found.with_only_columns(seed_ledger.c.pre_image)
        .order_by(seed_ledger.c.position)
        .limit(1)
        .scalar_subquery()
    )
    return plan.dialect.from_ledger(value, table.live.c[name])


def leads_somewhere(plan: Plan, table: StagedTable, name: str, value: Any) -> ColumnElement[bool]:
    """Whether the row that a link leads to is there, and will be when the move has ended."""
    key = table.frozen.foreign_keys[name]
    there: ColumnElement[bool] = sa.exists().where(plan.parents[key.table].c[key.column] == value)
    staged = plan.staged(key.table)
    if staged and staged.has("delete"):
        going = staged.deletes.alias("leaving")
        there = sa.and_(there, value.not_in(sa.select(going.c.live_id).where(going.c.outcome.is_(None))))
    return there


def given_back(
    plan: Plan, table: StagedTable, name: str, own: ColumnElement[Any]
) -> tuple[ColumnElement[Any], list[ColumnElement[bool]]]:
    """What a column of a row gets that goes back to its owner, and on which conditions.

    A link to a row that is gone becomes NULL, or is left as it is where it must lead somewhere.
    """
    if name not in table.frozen.foreign_keys:
        return own, []
    there = leads_somewhere(plan, table, name, own)
    if table.frozen.columns[name].nullable:
        return sa.case((there, own)), []
    return own, [there]


def equal(plan: Plan, table: StagedTable, name: str, value: Any) -> ColumnElement[bool]:
    """Whether the live column holds a staged value; an empty optional link does for a row that is not there.

    Where the row is there, an empty link is somebody's: the seed would have filled it.
    """
    column = table.live.c[name]
    same = plan.dialect.equal(table.frozen.columns[name].type, column, value)
    key = table.frozen.foreign_keys.get(name)
    if key is None or not key.optional:
        return same
    there = sa.exists().where(plan.parents[key.table].c[key.column] == value)
    return sa.or_(same, sa.and_(column.is_(None), ~there))


def analyzed(plan: Plan, table: StagedTable, *kinds: str) -> Iterator[Statement]:
    """New statistics of staged rows whose outcomes have changed: none with one is what they said before."""
    stages = [table.by_kind(kind) for kind in kinds if table.has(kind)]
    if stages:
        yield from map(Statement, plan.dialect.analyze(stages))


def into_ledger(table: StagedTable, rows: sa.Select[Any], **values: Any) -> sa.Insert:
    """An insert of ledger rows, one for each of `rows`."""
    entry = {
        "table_name": table.name, "column_name": "", "live_id": sa.null(), "pre_image": sa.null(), **values
    }  # fmt: skip
    columns = [value if isinstance(value, ColumnElement) else sa.literal(value) for value in entry.values()]
    return sa.insert(seed_ledger).from_select(list(entry), rows.with_only_columns(*columns))


def in_conflict(table: StagedTable, stage: Any, kinds: Sequence[str], column: str | None = None) -> Any:
    """Whether a staged row (or one of its columns) has a conflict of some kinds."""
    found = sa.select(conflicts.c.seed_id).where(
        conflicts.c.table_name == table.name, conflicts.c.kind.in_(kinds)
    )
    if column is not None:
        found = found.where(conflicts.c.column_name == column)
    # A set that is made once: the conflicts have no index.
    return stage.c.seed_id.in_(found)


def conflict(
    plan: Plan,
    kind: str,
    table: StagedTable,
    column: str,
    rows: sa.Select[Any],
    wanted: Any,
    found: Any,
) -> Statement:
    """An insert of staged rows as conflicts of one column, or of the row where `column` is empty."""

    def text(value: Any) -> ColumnElement[Any]:
        return sa.null() if value is None else plan.dialect.text(value)

    rows = rows.with_only_columns(
        sa.literal(kind),
        sa.literal(table.name),
        rows.selected_columns.seed_id,
        sa.literal(column),
        text(wanted),
        text(found),
    )
    return Statement(sa.insert(conflicts).from_select(list(conflicts.c.keys()), rows))
