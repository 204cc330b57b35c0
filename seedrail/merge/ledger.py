"""The ledger: the engine's own tables. `seed_state` says what was applied to each seed set; `seed_claims` is
a stack of claims: one wherever the seed met a value that was not its own.

A cell is a column of a seeded row; the column EXISTS says whether the row is there. Claims are pushed, and
dropped by a way down below their position; none is ever changed. docs/explanation/merge.md says what they
mean.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa

LEDGER_VERSION = 2

EXISTS = ""
"""The column of claims on whole rows; their values are ABSENT and PRESENT."""
ABSENT, PRESENT = "absent", "present"

OWNER, SEED, CUT = "owner", "seed", "cut"
"""Who stands on top since: somebody, whose value stayed; the seed, which wrote over it; or a cut link."""

NO_ROW = UUID(int=0)
"""The seed id of marks: from their position on, a link that is cut gets their value, a stand-in."""

VALUE = sa.Text().with_variant(sa.LargeBinary(), "sqlite")
"""SQLite keeps a value as it is; PostgreSQL its text."""

metadata = sa.MetaData()

seed_state = sa.Table(
    "seed_state",
    metadata,
    sa.Column("seed_set", sa.String(63), nullable=False),
    sa.Column("revision", sa.String(32), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("seed_set", name="pk_seed_state"),
    sa.CheckConstraint("status IN ('applied', 'left out')", name="ck_seed_state_status"),
)
"""One row a seed set: the seed revision whose rows it holds, that revision's digest, and whether the
environment leaves it out of what came after.
"""

seed_claims = sa.Table(
    "seed_claims",
    metadata,
    # The order in which claims were pushed: two on one cell may have the same position.
    sa.Column(
        "ordinal", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(), primary_key=True
    ),
    sa.Column("table_name", sa.String(63), nullable=False),
    sa.Column("seed_id", sa.Uuid(), nullable=False),
    sa.Column("column_name", sa.String(63), nullable=False),
    sa.Column("position", sa.Integer(), nullable=False),
    sa.Column("value", VALUE),
    sa.Column("stands", sa.String(8), nullable=False),
    sa.Column("live_id", sa.Uuid()),
    sa.CheckConstraint(f"stands IN ('{OWNER}', '{SEED}', '{CUT}')", name="ck_seed_claims_stands"),
    sa.Index("ix_seed_claims_cell", "table_name", "seed_id", "column_name"),
)
"""One row a claim: at `position` (1 is the first seed revision) the seed met `value`, in the text form of
SeedDialect.to_ledger, or cut a link to it; `live_id` is the primary key of a row that was met.
"""


def stops_above(target: int) -> sa.Select[Any]:
    """The positions below which a move down to `target` stops, so that no chapter of a row is jumped over.

    It stops below each claim on EXISTS, and below each at which a cell was met again.
    """
    claim, before = seed_claims.alias("claim"), seed_claims.alias("before")
    again = sa.exists().where(
        before.c.table_name == claim.c.table_name,
        before.c.seed_id == claim.c.seed_id,
        before.c.column_name == claim.c.column_name,
        before.c.position > target,
        before.c.ordinal < claim.c.ordinal,
        before.c.stands != CUT,
    )
    stops = sa.or_(claim.c.column_name == EXISTS, sa.and_(claim.c.stands != CUT, again))
    return sa.select(claim.c.position).where(claim.c.position > target + 1, stops).distinct()


TABLE_NAMES = frozenset(table.name for table in metadata.sorted_tables)
"""The tables that autogenerate must leave alone."""
