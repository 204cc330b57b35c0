"""accounts keep their kind

Revision ID: seed_0004
Revises: seed_0003, 0003
Create Date: 2026-11-26 01:04:22.908596
"""

from alembic import op

revision = "seed_0004"
down_revision = ("seed_0003", "0003")
branch_labels = None
depends_on = None
seed_changes = "seed_0004.jsonl"
seed_sha256 = "09cfa2fca7baa73b21b89798264c3e3539b2c29d0f0a2b072dffb74b979220f7"


def upgrade() -> None:
    op.upgrade_seeds(revision)


def downgrade() -> None:
    op.downgrade_seeds(revision)
