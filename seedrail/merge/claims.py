"""The ledger as a stack of claims: one wherever the seed met a value that was not its own.

A cell is a column of a seeded row; the column EXISTS says whether the row is there. Claims are pushed, and
dropped by a way down below their position; none is ever changed. docs/merge.md says what they mean.
"""

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

metadata = sa.MetaData()

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
    # SQLite keeps the value as it is; PostgreSQL its text.
    sa.Column("value", sa.Text().with_variant(sa.LargeBinary(), "sqlite")),
    sa.Column("stands", sa.String(8), nullable=False),
    sa.Column("live_id", sa.Uuid()),
    sa.CheckConstraint(f"stands IN ('{OWNER}', '{SEED}', '{CUT}')", name="ck_seed_claims_stands"),
    sa.Index("ix_seed_claims_cell", "table_name", "seed_id", "column_name"),
)
"""One row a claim: at `position` (1 is the first seed revision) the seed met `value`, in the text form of
SeedDialect.to_ledger, or cut a link to it; `live_id` is the primary key of a row that was met.
"""
