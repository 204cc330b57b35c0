"""Guards of a script, which cannot look: a count that must be 0 goes into a table that takes no other."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext

from seedrail.history.history import SEED_BASE
from seedrail.merge.ledger import seed_state
from seedrail.quoting import one_line

guard_table = sa.Table(
    "seed_guard",
    sa.MetaData(),
    sa.Column("what", sa.Text()),
    sa.Column("n", sa.Integer(), nullable=False),
    sa.CheckConstraint("n = 0", name="seed_refused"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""A script creates it before its first guard."""


def stop_if_any(context: MigrationContext, what: str, count: Any) -> None:
    """Write a guard, after a comment that says what it looks for."""
    context.impl.static_output(f"-- stops here if there are {one_line(what)}")
    rows = sa.select(sa.literal(what), count.scalar_subquery())
    context.execute(sa.insert(guard_table).from_select(["what", "n"], rows))


def stop_at(context: MigrationContext, what: str, rows: sa.Select[Any]) -> None:
    """A guard that lists the rows at which it stops: the client prints them, then fails."""
    context.execute(rows)
    stop_if_any(context, f"{what}, listed above", sa.select(sa.func.count()).select_from(rows.subquery()))


def count_elsewhere(source: str, sha256: str, sets: Sequence[str]) -> sa.Select[Any]:
    """How many of some seed sets are not in the state that a script starts from."""
    there = sa.select(sa.func.count()).select_from(seed_state).where(seed_state.c.seed_set.in_(sets))
    if source == SEED_BASE:
        return there
    right = there.where(seed_state.c.revision == source, seed_state.c.sha256 == sha256)
    return sa.select(sa.literal(len(sets)) - right.scalar_subquery())
