"""Which service a token stands for. A refusal never says why."""

from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import tokens
from app.features.users.models import ApiToken, User

USED_AGAIN = timedelta(minutes=5)
"""How old `last_used_at` gets before a use of the token writes it anew."""


def verify_token(session: Session, raw: str, scope: str, *, now: datetime | None = None) -> User | None:
    """The active service that a token stands for, if it allows `scope`; else None, whatever the reason.

    A malformed token costs no query. The use is noted, at most every five minutes.
    """
    if not tokens.is_well_formed(raw):
        return None
    now = now or utcnow()
    found = session.execute(
        select(ApiToken, User)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash == tokens.token_hash(SecretStr(raw)))
    ).one_or_none()
    if found is None:
        return None
    token, user = found
    if not token.is_active(now) or not user.is_active or scope not in token.scopes:
        return None
    if token.last_used_at is None or token.last_used_at <= now - USED_AGAIN:
        # Of two requests at once, the second finds it written.
        stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - USED_AGAIN)
        session.execute(update(ApiToken).where(ApiToken.id == token.id, stale).values(last_used_at=now))
    return user
