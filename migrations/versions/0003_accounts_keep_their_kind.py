"""accounts keep their kind

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-26 01:05:00

A service is no admin, a token is a service's, and an address is one account's in whatever case. Rows that say
otherwise are a person's to settle: the revision names them, and changes nothing.
"""

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import JSONB

from seedrail import shown

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LISTED = 5
"""How many rows of a kind are named; the others are counted."""

PROBLEMS = {
    "a service that is an admin": (
        "SELECT service_name FROM users WHERE kind = 'service' AND role = 'admin' ORDER BY 1",
        "UPDATE users SET role = 'user' WHERE kind = 'service'",
    ),
    "a person that has a token": (
        "SELECT DISTINCT email FROM users JOIN api_tokens ON users.id = user_id WHERE kind = 'person' ORDER BY 1",
        "DELETE FROM api_tokens WHERE user_id IN (SELECT id FROM users WHERE kind = 'person')",
    ),
    "an address of several accounts, but for its case": (
        "SELECT lower(email) FROM users WHERE email IS NOT NULL GROUP BY 1 HAVING count(*) > 1 ORDER BY 1",
        "keep one account of each, and give the others another address, or delete them",
    ),
    "an address that is empty, or has spaces around it": (
        "SELECT email FROM users WHERE email = '' OR email <> trim(email) ORDER BY 1",
        "UPDATE users SET email = trim(email), where that is nobody else's",
    ),
}
"""What the constraints do not allow: a query that names the rows, and what to do about them."""


def upgrade() -> None:
    if not context.is_offline_mode():
        refuse_problems(op.get_bind())
        refuse_cascades(op.get_bind())
    with op.batch_alter_table("users", copy_from=whole(users_before())) as batch_op:
        batch_op.drop_constraint(op.f("uq_users_email"), type_="unique")
        batch_op.create_unique_constraint(op.f("uq_users_id_kind"), ["id", "kind"])
        batch_op.create_check_constraint(
            op.f("ck_users_service_role"), sa.text("kind = 'person' OR role = 'user'")
        )
        batch_op.create_check_constraint(
            op.f("ck_users_email"), sa.text("email <> '' AND email = trim(email)")
        )
    with op.batch_alter_table("api_tokens", copy_from=whole(api_tokens_before())) as batch_op:
        batch_op.drop_constraint(op.f("fk_api_tokens_user_id_users"), type_="foreignkey")
        batch_op.add_column(
            sa.Column("user_kind", sa.String(length=32), server_default="service", nullable=False)
        )
        batch_op.create_check_constraint(op.f("ck_api_tokens_user_kind"), sa.text("user_kind = 'service'"))
        batch_op.create_foreign_key(
            op.f("fk_api_tokens_user_id_user_kind_users"),
            "users",
            ["user_id", "user_kind"],
            ["id", "kind"],
            ondelete="CASCADE",
        )
    # Last, and first to go on the way down: a table that is rebuilt on SQLite loses it.
    op.create_index(op.f("ix_users_lower_email"), "users", [sa.text("lower(email)")], unique=True)
    # Stops a script at a person's token: SQLite checks no foreign key while tables are rebuilt.
    op.execute("UPDATE api_tokens SET user_kind = (SELECT kind FROM users WHERE users.id = user_id)")


def downgrade() -> None:
    if not context.is_offline_mode():
        refuse_cascades(op.get_bind())
    op.drop_index(op.f("ix_users_lower_email"), "users")
    with op.batch_alter_table("api_tokens", copy_from=whole(api_tokens_after())) as batch_op:
        batch_op.drop_constraint(op.f("fk_api_tokens_user_id_user_kind_users"), type_="foreignkey")
        batch_op.drop_constraint(op.f("ck_api_tokens_user_kind"), type_="check")
        batch_op.drop_column("user_kind")
        batch_op.create_foreign_key(
            op.f("fk_api_tokens_user_id_users"), "users", ["user_id"], ["id"], ondelete="CASCADE"
        )
    with op.batch_alter_table("users", copy_from=whole(users_after())) as batch_op:
        batch_op.drop_constraint(op.f("ck_users_email"), type_="check")
        batch_op.drop_constraint(op.f("ck_users_service_role"), type_="check")
        batch_op.drop_constraint(op.f("uq_users_id_kind"), type_="unique")
        batch_op.create_unique_constraint(op.f("uq_users_email"), ["email"])


def refuse_problems(connection: sa.Connection) -> None:
    """Raise CommandError where rows do not keep what the constraints will ask of them."""
    lines = []
    for what, (query, advice) in PROBLEMS.items():
        found = list(connection.scalars(sa.text(query)))
        if found:
            more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
            lines.append(f"\n  - {what}: {', '.join(map(shown, found[:LISTED]))}{more}\n    {advice}")
    if lines:
        raise CommandError(
            "the schema 0003 does not allow for some accounts; nothing was written: mend them first"
            + "".join(lines)
        )


def refuse_cascades(connection: sa.Connection) -> None:
    """Raise CommandError where the copy of a rebuilt table would take other rows along as it goes."""
    if connection.dialect.name == "sqlite" and connection.scalar(sa.text("PRAGMA foreign_keys")):
        raise CommandError(
            "the connection checks foreign keys, so that rebuilding the table users would delete every token;"
            " nothing was written\n"
            "  let migrations/env.py make its own connection, or lend one with PRAGMA foreign_keys = OFF"
        )


def whole(table: sa.Table) -> sa.Table | None:
    """The table, for a script, which cannot look; else the database's is copied, with what it has besides."""
    return table if context.is_offline_mode() else None


def users_before() -> sa.Table:
    return sa.Table(
        "users", sa.MetaData(), *_columns_of_users(), sa.UniqueConstraint("email", name="uq_users_email")
    )


def users_after() -> sa.Table:
    return sa.Table(
        "users",
        sa.MetaData(),
        *_columns_of_users(),
        sa.UniqueConstraint("id", "kind", name="uq_users_id_kind"),
        sa.CheckConstraint("kind = 'person' OR role = 'user'", name="ck_users_service_role"),
        sa.CheckConstraint("email <> '' AND email = trim(email)", name="ck_users_email"),
    )


def _columns_of_users() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=32), server_default="user", nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("service_name", sa.String(length=63), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("service_name", name="uq_users_service_name"),
        sa.CheckConstraint("kind IN ('person', 'service')", name="ck_users_kind"),
        sa.CheckConstraint("role IN ('user', 'admin')", name="ck_users_role"),
        sa.CheckConstraint(
            "(kind = 'person' AND email IS NOT NULL AND service_name IS NULL) OR (kind = 'service' AND service_name IS NOT NULL AND email IS NULL AND password_hash IS NULL)",
            name="ck_users_identity",
        ),
    ]


def api_tokens_before() -> sa.Table:
    return sa.Table(
        "api_tokens",
        sa.MetaData(),
        *_columns_of_api_tokens(),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_api_tokens_user_id_users", ondelete="CASCADE"
        ),
        *_index_of_api_tokens(),
    )


def api_tokens_after() -> sa.Table:
    return sa.Table(
        "api_tokens",
        sa.MetaData(),
        *_columns_of_api_tokens(),
        sa.Column("user_kind", sa.String(length=32), server_default="service", nullable=False),
        sa.CheckConstraint("user_kind = 'service'", name="ck_api_tokens_user_kind"),
        sa.ForeignKeyConstraint(
            ["user_id", "user_kind"],
            ["users.id", "users.kind"],
            name="fk_api_tokens_user_id_user_kind_users",
            ondelete="CASCADE",
        ),
        *_index_of_api_tokens(),
    )


def _columns_of_api_tokens() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("display_prefix", sa.String(length=32), nullable=False),
        sa.Column("scopes", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("created_by", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["replaces_id"],
            ["api_tokens.id"],
            name="fk_api_tokens_replaces_id_api_tokens",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
    ]


def _index_of_api_tokens() -> list[sa.schema.SchemaItem]:
    return [sa.Index("ix_api_tokens_user_id_name", "user_id", "name")]
