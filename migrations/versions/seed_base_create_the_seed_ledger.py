"""create the seed ledger

Revision ID: seed_base
Revises: 0001
Create Date: 2026-11-22 22:20:00
"""

from alembic import op

revision = "seed_base"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_seed_ledger(version=1)


def downgrade() -> None:
    op.drop_seed_ledger(version=1)
