"""Accounts of people and services, their API tokens, and the trail of what was done to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import true as sql_true
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utcnow
from app.core.database import JSON_OBJECT, Base, UTCDateTime
from app.features.columns import Short, Timestamps, UuidKey, enum_column


class UserKind(StrEnum):
    """A person logs in with a password; a service only with a token."""

    PERSON = "person"
    SERVICE = "service"


class UserRole(StrEnum):
    """What an account may do."""

    USER = "user"
    ADMIN = "admin"


class User(Timestamps, Base):
    """An account. A person has an email and a password, a service has a name and neither.

    A service is never an admin: its token lies in files and pipelines, and nobody types a password for it.
    """

    __tablename__ = "users"
    __table_args__ = (
        # Alembic cannot see it on SQLite: a batch that rebuilds this table there has to make it again.
        Index("ix_users_lower_email", text("lower(email)"), unique=True),
        UniqueConstraint("service_name"),
        # What a token's account is referred to by, so that it is a service and stays one.
        UniqueConstraint("id", "kind"),
        CheckConstraint("kind = 'person' OR role = 'user'", name="service_role"),
        CheckConstraint("email <> '' AND email = trim(email)", name="email"),
        CheckConstraint(
            "(kind = 'person' AND email IS NOT NULL AND service_name IS NULL)"
            " OR (kind = 'service' AND service_name IS NOT NULL"
            " AND email IS NULL AND password_hash IS NULL)",
            name="identity",
        ),
    )

    id: Mapped[UuidKey]
    kind: Mapped[UserKind] = mapped_column(enum_column(UserKind, "kind"))
    role: Mapped[UserRole] = mapped_column(enum_column(UserRole, "role"), server_default=UserRole.USER.value)
    email: Mapped[str | None] = mapped_column(String(320))
    service_name: Mapped[str | None] = mapped_column(String(63))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=sql_true())


class ApiToken(Base):
    """A token of a service account; only its SHA-256 is stored."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "user_id", "name"),
        CheckConstraint("user_kind = 'service'", name="user_kind"),
        ForeignKeyConstraint(["user_id", "user_kind"], ["users.id", "users.kind"], ondelete="CASCADE"),
    )

    id: Mapped[UuidKey]
    user_id: Mapped[UUID]
    user_kind: Mapped[str] = mapped_column(
        String(32), default=UserKind.SERVICE.value, server_default=UserKind.SERVICE.value
    )
    """Always a service's; with `user_id` it refers to one."""
    name: Mapped[Short]
    token_hash: Mapped[str] = mapped_column(String(64))
    display_prefix: Mapped[str] = mapped_column(String(32))
    scopes: Mapped[list[str]] = mapped_column(JSON_OBJECT)
    created_by: Mapped[Short]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_tokens.id", ondelete="SET NULL"))

    def is_active(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired; at its expiry it is."""
        return self.revoked_at is None and now < self.expires_at


class AuditEvent(Base):
    """One change to an account or a token: what, who, when; never a secret.

    It names accounts and tokens by value: the trail outlives what it tells of.
    """

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "user_id", "at"),)

    id: Mapped[UuidKey]
    # The database's own would be asked back after the INSERT, by a role that may do no more than that.
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utcnow, server_default=func.now())
    action: Mapped[str] = mapped_column(String(64))
    actor: Mapped[Short]
    user_id: Mapped[UUID | None]
    token_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON_OBJECT)
