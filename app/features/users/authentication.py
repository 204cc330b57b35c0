"""Who somebody is: a person by password, a service by token. A refusal never says why."""

from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.core.security import hash_password, is_weaker, verify_password
from app.features.users import tokens
from app.features.users.accounts import find_person
from app.features.users.audit import record
from app.features.users.errors import AccountConflict, InvalidName
from app.features.users.models import ApiToken, User, UserKind
from app.features.users.policy import checked_email

USED_AGAIN = timedelta(minutes=5)
"""How old `last_used_at` gets before a use of the token writes it anew."""


def authenticate(session: Session, email: str, password: SecretStr) -> User | None:
    """The active person with that email and password, or None; a wrong email takes as long as a right one.

    A hash that is weaker than today's is replaced, a stronger one is not.
    """
    user = find_login(session, email)
    return admit(session, user, password, verify_password(password, user.password_hash if user else None))


def find_login(session: Session, email: str) -> User | None:
    """The person of an address in the form it is stored in; None for no address, or for several people's."""
    try:
        return find_person(session, checked_email(email))
    except (InvalidName, AccountConflict):
        return None


def admit(session: Session, user: User | None, password: SecretStr, verified: bool) -> User | None:
    """The second half of `authenticate`: what follows from a password's verification."""
    if user is None or not verified or not user.is_active or user.kind is not UserKind.PERSON:
        return None
    if user.password_hash is not None and is_weaker(user.password_hash):
        user.password_hash = hash_password(password)
        record(session, "password.rehashed", str(user.email), user)
        session.flush()
    return user


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
