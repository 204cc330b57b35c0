"""What a move's statements are made for, and the predicates that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from seedrail.dialects import SeedDialect
from seedrail.merge.database.standins import StandIns
from seedrail.merge.stage import INSERT, StagedTable
from seedrail.run_options import Policy
from seedrail.schema.tables import Reference
from seedrail.schema.uniques import Unique


@dataclass(frozen=True)
class Statement:
    """One statement of the program; `counts` names the tally that its row count belongs to.

    `missed` is said of a query for the number of rows of a table (and of what was to happen to them) that a
    write has left out: it must be 0.
    """

    sql: sa.Executable
    counts: tuple[str, str] | None = None
    missed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plan:
    """What the program is generated for.

    `tables` have staged rows, parents first. `references` are all foreign keys that point at them, `derived`
    the columns that the database computes of others, `uniques` the unique constraints of each, `parents` the
    live tables that seeded foreign keys lead to, each with its id as the only column. `source` and `target`
    are the rail positions at which the move begins and ends. `watched` says that triggers or rules may act on
    what is written, as they may in a script's unknown database.
    """

    tables: Sequence[StagedTable]
    references: Mapping[str, Sequence[Reference]]
    derived: Mapping[str, frozenset[str]]
    uniques: Mapping[str, Sequence[Unique]]
    parents: Mapping[str, sa.Table]
    source: int
    target: int
    dialect: SeedDialect
    policy: Policy
    watched: bool = True
    stand_ins: StandIns = field(default_factory=dict)
    known: frozenset[str] | None = None
    """The tables of which the ledger has claims; None for a script, which cannot know."""

    tally: Mapping[tuple[str, str], int] | None = None
    """Online, what the statements before have counted."""
    decisions: bool = False
    """Whether some conflicts were decided one by one."""
    held: bool = False
    """On a way down: whether a row that leaves had a life before."""
    marked: frozenset[tuple[str, str]] | None = None
    """The links (table, column) for which the ledger has marks of stand-ins; None for a script."""
    claimed_at: int = 0
    """On a way down: the position at which what stays behind is claimed, the target's."""
    came: frozenset[tuple[str, str]] = frozenset()
    """On a way up: the columns (table, column) that came in this run, so that nobody can have edited them."""
    since: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By table and column, the position from which on a column is another than its namesake before."""

    @property
    def upgrade(self) -> bool:
        """Whether the move goes up."""
        return self.source < self.target

    def knows(self, table: str) -> bool:
        """Whether there may be claims on rows of a table."""
        return self.known is None or table in self.known

    def met(self, table: str) -> bool:
        """Whether rows of a table may be there already under another id than the seed's."""
        return self.tally is None or self.tally["met", table] > 0 or self.knows(table)

    def staged(self, name: str) -> StagedTable | None:
        """The staged table of that name, if the move has rows of it."""
        return next((table for table in self.tables if table.name == name), None)


def parents_of(tables: Sequence[StagedTable]) -> dict[str, sa.Table]:
    """The live tables that seeded foreign keys lead to, each with its id as the only column."""
    return {
        key.table: _ids_of(key.table, key.column)
        for table in tables
        for key in table.frozen.foreign_keys.values()
    }


@lru_cache(maxsize=256)
def _ids_of(table: str, id_: str) -> sa.Table:
    return sa.Table(table, sa.MetaData(), sa.Column(id_, sa.Uuid()))


def equal(plan: Plan, table: StagedTable, name: str, one: Any, other: Any) -> ColumnElement[bool]:
    """Whether two values of a column are stored alike, NULL being equal to NULL."""
    return plan.dialect.equal(table.frozen.columns[name].type, one, other)


def is_there(plan: Plan, table: StagedTable, name: str, value: Any) -> ColumnElement[bool]:
    """Whether the row that a link leads to is in the database."""
    key = table.frozen.foreign_keys[name]
    return sa.exists().where(plan.parents[key.table].c[key.column] == value)


def leads(plan: Plan, table: StagedTable, name: str, value: Any) -> ColumnElement[bool]:
    """Whether the row that a link leads to is in the database, or comes with this move."""
    there = is_there(plan, table, name, value)
    parent = plan.staged(table.frozen.foreign_keys[name].table)
    if parent is None or not parent.may(INSERT):
        return there
    new = parent.stage.alias("new")
    return sa.or_(there, sa.exists().where(new.c.seed_id == value, new.c.action == INSERT))


def may_be_empty(table: StagedTable, name: str) -> bool:
    """Whether a column is a link that can be left empty."""
    return name in table.frozen.foreign_keys and table.frozen.columns[name].nullable
