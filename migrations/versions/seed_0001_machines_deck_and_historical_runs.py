"""machines, DECK and historical runs

Revision ID: seed_0001
Revises: seed_base
Create Date: 2026-11-22 22:20:06.207261
"""

from alembic import op

revision = "seed_0001"
down_revision = "seed_base"
branch_labels = None
depends_on = None
seed_changes = "seed_0001.jsonl"
seed_sha256 = "a2246732ab0f59ab9711ff30bd0e3fbc6e85da765041a2784e8ce69729b65257"


def upgrade() -> None:
    op.upgrade_seeds(revision)


def downgrade() -> None:
    op.downgrade_seeds(revision)
