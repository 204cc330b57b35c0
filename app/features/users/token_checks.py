"""Who a token stands for. A refusal never says why, and a check changes nothing for its caller."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import or_, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.core.aside import write_aside
from app.core.clock import utcnow
from app.features.users import tokens
from app.features.users.accounts import as_stored
from app.features.users.models import ApiToken, User, UserKind, UserRole

USED_AGAIN = timedelta(minutes=1)
"""How old `last_used_at` gets before a use of the token writes it anew."""

_REMEMBERED = 10_000
_tried: dict[UUID, datetime] = {}
"""When a use was last tried to be noted: most checks of a busy token have nothing to try."""


def verify_token(session: Session, raw: str, scope: str, *, now: datetime | None = None) -> User | None:
    """The active service that a token stands for, if it allows `scope`; else None, whatever the reason.

    A malformed token costs no query. The use is noted aside from the session's transaction, at most once a
    minute, and not at all where something is in the way of that.
    """
    if not tokens.is_well_formed(raw):
        return None
    now = now or utcnow()
    # The database decides: an object that the session has loaded may be older than a revocation.
    found = session.execute(
        select(User, ApiToken.id, ApiToken.scopes, ApiToken.last_used_at)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(
            ApiToken.token_hash == tokens.token_hash(SecretStr(raw)),
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > now,
            User.kind == UserKind.SERVICE,
            # The schema says so too, to all that write with its constraints on.
            User.role == UserRole.USER,
            User.is_active,
        ),
        execution_options=as_stored(session),
    ).one_or_none()
    if found is None:
        return None
    user, token_id, scopes, noted = found
    # What somebody stored otherwise, such as a text that has the scope in it, allows nothing.
    if not isinstance(scopes, list) or scope not in scopes:
        return None
    _note_use(session, token_id, noted, now)
    return user


def _note_use(session: Session, token_id: UUID, noted: datetime | None, now: datetime) -> None:
    if noted is not None and noted > now - USED_AGAIN:
        return
    tried = _tried.get(token_id)
    if tried is not None and abs(now - tried) < USED_AGAIN:
        return
    if len(_tried) >= _REMEMBERED:
        _tried.clear()
    _tried[token_id] = now
    write_aside(session, ApiToken, lambda connection: _write_use(connection, token_id, now))


def _write_use(connection: Connection, token_id: UUID, now: datetime) -> None:
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USED_AGAIN)
    free = select(ApiToken.id).where(ApiToken.id == token_id, stale)
    # Who holds the row may be revoking it, or noting the same.
    row = free.with_for_update(skip_locked=True, key_share=True).scalar_subquery()
    connection.execute(update(ApiToken).where(ApiToken.id == row).values(last_used_at=now))
