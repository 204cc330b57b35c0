"""Tokens ended before their time: one by its id, those in a leaked text, all of a service."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app.features.users import tokens
from app.features.users.accounts import lock_accounts, require_service
from app.features.users.audit import record
from app.features.users.errors import AccountNotFound, NoToken
from app.features.users.models import ApiToken, User
from app.features.users.ordering import stored_tokens


@dataclass(frozen=True)
class Revoked:
    """A token that is revoked, and whether this call did it."""

    user: User
    token: ApiToken
    now: bool


@dataclass(frozen=True)
class Leak:
    """What a leaked text led to: the tokens of this database, and how many others it holds."""

    revoked: list[Revoked]
    others: int


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
    done = _ended(session, token, actor, now)
    return done.token, done.now


def revoke_by_id(
    session: Session,
    token_id: UUID,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Revoked:
    """As `revoke_token`, whosever it is; AccountNotFound for no such token, LockTimedOut."""
    now = lock_accounts(session, lock_timeout, now)
    token = session.get(ApiToken, token_id, populate_existing=True)
    if token is None:
        raise AccountNotFound(f"there is no token with the id {token_id}: --list shows all tokens")
    return _ended(session, token, actor, now)


def revoke_leaked(
    session: Session,
    text: SecretStr,
    service_name: str | None = None,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Leak:
    """Revoke every token whose value is somewhere in a text: bare, quoted, assigned, in lines of a log.

    With a service's name, only its own. Raises NoToken where the text holds none, AccountNotFound where none
    of them is known here, LockTimedOut. The text is never quoted, nor kept.
    """
    values, others = tokens.found_in(text.get_secret_value())
    if not values:
        raise NoToken(bool(others))
    now = lock_accounts(session, lock_timeout, now)
    known: list[ColumnElement[bool]] = [
        ApiToken.token_hash.in_([tokens.token_hash(value) for value in values])
    ]
    if service_name is not None:
        known.append(ApiToken.user_id == require_service(session, service_name).id)
    found = stored_tokens(session, *known)
    if not found:
        here = "this database" if service_name is None else f"the service account {service_name}"
        raise AccountNotFound(
            f"{here} has no such token, and nothing was revoked: see whether the settings name the database,"
            " and the command the service, that it leaked from"
        )
    revoked = [_ended(session, token, actor, now, leaked=True) for token in found]
    return Leak(revoked, len(values) - len(found) + others)


def revoke_all(
    session: Session,
    service_name: str,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> list[ApiToken]:
    """End every token of a service; returns those that this call revoked, newest first.

    Expired ones are marked too. Raises AccountNotFound for no such service, LockTimedOut.
    """
    now = lock_accounts(session, lock_timeout, now)
    user = require_service(session, service_name)
    found = stored_tokens(session, ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    for token in found:
        revoke(session, user, token, actor, now)
    session.flush()
    return found


def revoke(
    session: Session, user: User, token: ApiToken, actor: str, now: datetime, *, leaked: bool = False
) -> None:
    """End a token now, under the lock that the caller has, and with the caller's flush."""
    token.revoked_at = now
    more = {"leaked": True} if leaked else {}
    record(session, "token.revoked", actor, user, token, name=token.name, **more)


def _ended(session: Session, token: ApiToken, actor: str, now: datetime, *, leaked: bool = False) -> Revoked:
    user = session.get_one(User, token.user_id)
    if token.revoked_at is not None:
        return Revoked(user, token, now=False)
    revoke(session, user, token, actor, now, leaked=leaked)
    session.flush()
    return Revoked(user, token, now=True)
