"""Tokens ended before their time."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.features.users.accounts import lock_accounts, require_service
from app.features.users.audit import record
from app.features.users.errors import AccountNotFound
from app.features.users.models import ApiToken, User


def revoke_token(
    session: Session,
    service_name: str,
    token_id: UUID,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> tuple[ApiToken, bool]:
    """The token, revoked from now on, and whether this call did it.

    Raises AccountNotFound where the service has no such token, LockTimedOut.
    """
    now = lock_accounts(session, lock_timeout, now)
    user = require_service(session, service_name)
    token = session.get(ApiToken, token_id, populate_existing=True)
    if token is None or token.user_id != user.id:
        raise AccountNotFound(f"{service_name} has no token with the id {token_id}: --list shows its tokens")
    if token.revoked_at is not None:
        return token, False
    revoke(session, user, token, actor, now)
    return token, True


def revoke(session: Session, user: User, token: ApiToken, actor: str, now: datetime) -> None:
    """End a token now, under the lock that the caller has."""
    token.revoked_at = now
    record(session, "token.revoked", actor, user, token, name=token.name)
    session.flush()
