"""Which tokens there are, and how each stands."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import policy
from app.features.users.accounts import require_service
from app.features.users.models import ApiToken


class TokenStatus(StrEnum):
    """How a token stands."""

    ACTIVE = "active"
    EXPIRING = "expiring soon"
    EXPIRED = "expired"
    REVOKED = "revoked"


def list_tokens(
    session: Session, service_name: str, *, now: datetime | None = None
) -> list[tuple[ApiToken, TokenStatus]]:
    """Every token of a service with its status, newest first; AccountNotFound for no such service."""
    now = now or utcnow()
    user = require_service(session, service_name)
    rows = newest_first(select(ApiToken).where(ApiToken.user_id == user.id))
    return [(token, _status(token, now)) for token in session.scalars(rows)]


def newest_first(tokens: Select[Any]) -> Select[Any]:
    """A query of tokens in the order that lists have."""
    return tokens.order_by(ApiToken.created_at.desc(), ApiToken.id)


def _status(token: ApiToken, now: datetime) -> TokenStatus:
    if token.revoked_at is not None:
        return TokenStatus.REVOKED
    if not token.is_active(now):
        return TokenStatus.EXPIRED
    return TokenStatus.EXPIRING if token.expires_at <= now + policy.EXPIRING_SOON else TokenStatus.ACTIVE
