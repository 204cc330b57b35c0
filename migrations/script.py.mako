"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}
"""
<% pins = config.attributes.get("seed_pins", {}).get(up_revision) %>\
% if pins:

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}
seed_changes = ${repr(pins["changes"])}
seed_sha256 = ${repr(pins["sha256"])}


def upgrade() -> None:
    op.upgrade_seeds(revision)


def downgrade() -> None:
    op.downgrade_seeds(revision)
% else:

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
% endif
