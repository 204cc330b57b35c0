"""Conflicts that come of the choice of seed sets: rows whose parents are of a set that was left out."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.errors import SeedError
from seedrail.history.changes import Change
from seedrail.history.history import SEED_BASE
from seedrail.merge.ledger import seed_state
from seedrail.merge.plan import Plan
from seedrail.merge.report.conflicts import ConflictError, Counts, conflicts
from seedrail.quoting import numbered, shown
from seedrail.run_options import Policy, RunOptions
from seedrail.schema.tables import FrozenTable

log = logging.getLogger(__name__)


class ParentsLeftOutError(ConflictError):
    """Nobody has touched anything: the sets that a run was asked for need others.

    `missing` says how many rows of a set (the first name) lead to rows of another, of which there are none.
    """

    def __init__(self, missing: Counter[tuple[str, str]], sets: Collection[str], options: RunOptions) -> None:
        self.conflicts, self.total = (), missing.total()
        needed = sorted({*options.sets, *sets, *(parent for _, parent in missing)} - {"all"})
        SeedError.__init__(
            self,
            f"{_told(missing)}; nothing was written\n"
            f"  ask for all of them: {options.spelled('seed_sets', ','.join(needed))}",
        )


def refuse_without_parents(
    connection: Connection,
    plan: Plan,
    counts: Counts,
    sets: Collection[str],
    tables: Mapping[str, FrozenTable],
    options: RunOptions,
) -> None:
    """Raise ParentsLeftOutError where nothing else is in the way of a move up; else say it beside the rest.

    `sets` are those that the move brings, `tables` the seeded ones at its target, by name.
    """
    every, there = conflicts(plan), _there(connection, sets)
    unlinked = sa.select(every.c.table_name, every.c.column_name, sa.func.count())
    unlinked = unlinked.where(every.c.kind == "unlinked", ~every.c.is_decided)
    missing: Counter[tuple[str, str]] = Counter()
    for name, column, count in connection.execute(unlinked.group_by(every.c.table_name, every.c.column_name)):
        for parent in _parents(tables, name, [column]):
            if parent not in there:
                missing[tables[name].set, parent] += count
    if missing and options.policy is Policy.ABORT and all(kind == "unlinked" for kind, _ in counts):
        raise ParentsLeftOutError(missing, sets, options)
    if missing:
        log.warning("%s", _told(missing))


def refuse_rows_to_come(
    connection: Connection,
    changes: Iterable[Change],
    sets: Collection[str],
    tables: Mapping[str, FrozenTable],
    options: RunOptions,
) -> None:
    """The same of rows whose tables are still to be made, so that no conflict tells of them."""
    there = _there(connection, sets)
    missing: Counter[tuple[str, str]] = Counter()
    for change in changes:
        given = [name for name, value in (change.new or {}).items() if value is not None]
        for parent in _parents(tables, change.table, given):
            if parent not in there:
                missing[tables[change.table].set, parent] += 1
    if missing:
        raise ParentsLeftOutError(missing, sets, options)


def _there(connection: Connection, sets: Collection[str]) -> set[str]:
    """The sets that a move brings, and those that the database has."""
    applied = sa.select(seed_state.c.seed_set).where(
        seed_state.c.status == "applied", seed_state.c.revision != SEED_BASE
    )
    return {*connection.scalars(applied), *sets}


def _parents(tables: Mapping[str, FrozenTable], name: str, columns: Iterable[str]) -> Iterator[str]:
    """The sets of the tables to which links lead that must not be empty for nothing."""
    for column in columns if name in tables else ():
        link = tables[name].foreign_keys.get(column)
        if link is not None and not link.optional and link.table in tables:
            yield tables[link.table].set


def _told(missing: Counter[tuple[str, str]]) -> str:
    return "; ".join(
        f"seed set {shown(child)} leads to rows of the seed set {shown(parent)}, which is left out and not in"
        f" the database: {numbered(count, 'row')} cannot come without them"
        for (child, parent), count in sorted(missing.items())
    )
