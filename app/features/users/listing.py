"""Which accounts and tokens there are, how each token stands, and which end soon."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from app.core.clock import utcnow
from app.features.users import policy
from app.features.users.accounts import as_stored, require_service
from app.features.users.models import ApiToken, User
from app.features.users.ordering import newest_first, stored_tokens


class TokenStatus(StrEnum):
    """How a token stands; only an active one, and one that expires soon, works."""

    ACTIVE = "active"
    EXPIRING = "expiring soon"
    EXPIRED = "expired"
    REVOKED = "revoked"
    DEACTIVATED = "account deactivated"


@dataclass(frozen=True)
class Account:
    """An account with its tokens, newest first."""

    user: User
    has_password: bool
    tokens: Sequence[tuple[ApiToken, TokenStatus]]


@dataclass(frozen=True)
class Expiring:
    """A token that its service will miss, or misses already."""

    user: User
    token: ApiToken
    status: TokenStatus


def list_tokens(
    session: Session, service_name: str, *, now: datetime | None = None
) -> list[tuple[ApiToken, TokenStatus]]:
    """Every token of a service with its status, newest first; AccountNotFound for no such service."""
    now = now or utcnow()
    user = require_service(session, service_name)
    tokens = stored_tokens(session, ApiToken.user_id == user.id)
    return [(token, _status(token, user, now)) for token in tokens]


def list_accounts(session: Session, *, now: datetime | None = None) -> list[Account]:
    """Every account, people by address and then services by name; hashes stay in the database."""
    now, fresh = now or utcnow(), as_stored(session)
    tokens: dict[UUID, list[ApiToken]] = defaultdict(list)
    query = select(ApiToken).options(defer(ApiToken.token_hash))
    for token in newest_first(session.scalars(query, execution_options=fresh)):
        tokens[token.user_id].append(token)
    users = select(User, User.password_hash.is_not(None)).options(defer(User.password_hash))
    accounts = [
        Account(user, has_password, [(token, _status(token, user, now)) for token in tokens[user.id]])
        for user, has_password in session.execute(users, execution_options=fresh)
    ]
    # Not by the database, whose collations differ.
    return sorted(accounts, key=lambda one: (one.user.kind, one.user.email or one.user.service_name or ""))


def expiring_tokens(
    session: Session,
    service_name: str | None = None,
    *,
    days: int = policy.EXPIRING_SOON.days,
    now: datetime | None = None,
) -> list[Expiring]:
    """The tokens that end within so many days, or ended, without another to go on with; soonest first.

    Of each name of a service the newest counts that is not revoked: one that it replaced is no loss. Whoever
    does not need a token any more revokes it. Deactivated accounts miss none. Raises PolicyError for the
    days, InvalidName and AccountNotFound for the service.
    """
    now, horizon = now or utcnow(), policy.checked_days_ahead(days)
    query = select(ApiToken, User).join(User, User.id == ApiToken.user_id).where(User.is_active)
    if service_name is not None:
        query = query.where(User.id == require_service(session, service_name).id)
    rows = session.execute(query, execution_options=as_stored(session))
    owners = dict(rows.all())
    newest: dict[tuple[UUID, str], ApiToken] = {}
    for token in newest_first(owners):
        if token.revoked_at is None:
            newest.setdefault((token.user_id, token.name), token)
    found = [
        Expiring(owners[token], token, TokenStatus.EXPIRING if token.is_active(now) else TokenStatus.EXPIRED)
        for token in newest.values()
        if token.expires_at <= now + horizon
    ]
    return sorted(found, key=lambda one: (one.token.expires_at, one.user.service_name or "", one.token.name))


def _status(token: ApiToken, user: User, now: datetime) -> TokenStatus:
    if token.revoked_at is not None:
        return TokenStatus.REVOKED
    if not token.is_active(now):
        return TokenStatus.EXPIRED
    if not user.is_active:
        return TokenStatus.DEACTIVATED
    return TokenStatus.EXPIRING if token.expires_at <= now + policy.EXPIRING_SOON else TokenStatus.ACTIVE
