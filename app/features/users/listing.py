"""Which tokens there are, and how each stands."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import policy
from app.features.users.accounts import as_stored, require_service
from app.features.users.models import ApiToken
from app.features.users.ordering import newest_first


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
    query = select(ApiToken).where(ApiToken.user_id == user.id)
    tokens = newest_first(session.scalars(query, execution_options=as_stored(session)))
    return [(token, _status(token, now)) for token in tokens]


def _status(token: ApiToken, now: datetime) -> TokenStatus:
    if token.revoked_at is not None:
        return TokenStatus.REVOKED
    if not token.is_active(now):
        return TokenStatus.EXPIRED
    return TokenStatus.EXPIRING if token.expires_at <= now + policy.EXPIRING_SOON else TokenStatus.ACTIVE
