"""known issues and notes of simulations

Revision ID: seed_0002
Revises: seed_0001, 0002
Create Date: 2026-11-22 22:20:07.805286
"""

from alembic import op

revision = "seed_0002"
down_revision = ("seed_0001", "0002")
branch_labels = None
depends_on = None
seed_changes = "seed_0002.jsonl"
seed_sha256 = "aa40e7a93f64675d0f1870a796efc4a9be1df1a8809afb34f336a4b4ea782c9e"


def upgrade() -> None:
    op.upgrade_seeds(revision)


def downgrade() -> None:
    op.downgrade_seeds(revision)
