"""scenario runs and newly finished runs

Revision ID: seed_0003
Revises: seed_0002
Create Date: 2026-11-22 22:20:10.149328
"""

from alembic import op

revision = "seed_0003"
down_revision = "seed_0002"
branch_labels = None
depends_on = None
seed_changes = "seed_0003.jsonl"
seed_sha256 = "27220b1422296fbbf4ba2ecc4599b4156e3fe953cb242a7253638d8d8004cb5b"


def upgrade() -> None:
    op.upgrade_seeds(revision)


def downgrade() -> None:
    op.downgrade_seeds(revision)
