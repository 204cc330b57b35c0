"""Service accounts and their tokens: issued and rotated."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import policy, tokens
from app.features.users.accounts import (
    add_account,
    find_service,
    lock_accounts,
    require_service,
)
from app.features.users.audit import record
from app.features.users.errors import AccountConflict, AccountNotFound
from app.features.users.models import ApiToken, User, UserKind
from app.features.users.ordering import stored_tokens
from app.features.users.revoking import revoke

DEFAULT_NAME = "default"
_TICK = timedelta(microseconds=1)
"""What a database tells apart."""
_LAST = datetime.max.replace(tzinfo=UTC) - _TICK


@dataclass(frozen=True)
class Issued:
    """A token; `secret` is its text, only where it was made just now, or `recovered` from a run before.

    A rotation also tells which token it `replaced`, and which it `revoked` because a third would live.
    """

    user: User
    token: ApiToken
    secret: SecretStr | None = None
    new_account: bool = False
    replaced: ApiToken | None = None
    revoked: Sequence[ApiToken] = ()
    recovered: bool = False


def provision(
    session: Session,
    service_name: str,
    *,
    actor: str,
    token_name: str = DEFAULT_NAME,
    scopes: Sequence[str] | None = None,
    expires_in_days: int | None = None,
    ensure: bool = False,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Issued:
    """A service account, made or found, with a new token.

    An active token of that name is an AccountConflict; with `ensure` it is returned without its secret, if
    it has the scopes that were asked for. Also raises InvalidName, PolicyError, LockTimedOut.
    """
    name, token_name = policy.checked_service_name(service_name), policy.checked_token_name(token_name)
    wanted = policy.checked_scopes(policy.DEFAULT_SCOPES if scopes is None else scopes)
    life = policy.checked_expiry(expires_in_days)
    now = lock_accounts(session, lock_timeout, now)
    user = find_service(session, name)
    new_account = user is None
    if user is None:
        user = User(kind=UserKind.SERVICE, service_name=name)
        add_account(session, user)
        record(session, "service.created", actor, user)
    _refuse_deactivated(user)
    active = _active(session, user, token_name, now)
    if not active:
        token, secret = _issue(session, user, token_name, wanted, now, life, actor)
        return Issued(user, token, secret, new_account)
    if not ensure:
        raise AccountConflict(
            f"{name} has an active token {token_name!r} ({active[0].display_prefix}…):"
            " --ensure is content with it, --rotate issues a new one"
        )
    if scopes is not None and active[0].scopes != wanted:
        raise AccountConflict(
            f"the active token {token_name!r} of {name} has the scopes {', '.join(active[0].scopes)},"
            f" not {', '.join(wanted)}: --rotate issues a new one"
        )
    return Issued(user, active[0])


def rotate_token(
    session: Session,
    service_name: str,
    *,
    actor: str,
    token_name: str = DEFAULT_NAME,
    scopes: Sequence[str] | None = None,
    expires_in_days: int | None = None,
    overlap_hours: float = policy.DEFAULT_OVERLAP_HOURS,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Issued:
    """A new token in place of the newest active one of that name, or else of the newest.

    It has the old one's scopes unless others are given. The old one lives on for the overlap at most; one
    that it had replaced itself, and that still lives, is revoked. Raises AccountNotFound where nothing of
    that name was ever issued, AccountConflict for a deactivated account, InvalidName, PolicyError,
    LockTimedOut.
    """
    token_name = policy.checked_token_name(token_name)
    life, overlap = policy.checked_expiry(expires_in_days), policy.checked_overlap(overlap_hours)
    asked = None if scopes is None else policy.checked_scopes(scopes)
    now = lock_accounts(session, lock_timeout, now)
    user = require_service(session, service_name)
    _refuse_deactivated(user)
    named = _named(session, user, token_name)
    if not named:
        raise AccountNotFound(f"{service_name} has no token {token_name!r} to rotate")
    active = [token for token in named if token.is_active(now)]
    # The newest may have been revoked while clients are still on the one before.
    old, third = active[0] if active else named[0], active[1:]
    for token in third:
        revoke(session, user, token, actor, now)
    if active:
        old.expires_at = min(old.expires_at, now + overlap)
    token, secret = _issue(session, user, token_name, asked or old.scopes, now, life, actor, replaces=old)
    return Issued(user, token, secret, replaced=old, revoked=third)


def has_active_token(
    session: Session, service_name: str, token_name: str = DEFAULT_NAME, *, now: datetime | None = None
) -> bool:
    """Whether the service has an active token of that name."""
    user = find_service(session, service_name)
    return user is not None and user.is_active and bool(_active(session, user, token_name, now or utcnow()))


def _refuse_deactivated(user: User) -> None:
    # A fresh account's default is the database's to give.
    if user.is_active is False:
        raise AccountConflict(
            f"the service account {user.service_name} is deactivated; --activate makes it active again"
        )


def _named(session: Session, user: User, token_name: str) -> list[ApiToken]:
    """The tokens of a name, newest first."""
    return stored_tokens(session, ApiToken.user_id == user.id, ApiToken.name == token_name)


def _active(session: Session, user: User, token_name: str, now: datetime) -> list[ApiToken]:
    return [token for token in _named(session, user, token_name) if token.is_active(now)]


def _after_all(session: Session, user: User, now: datetime) -> datetime:
    """Now, or just after the newest of the account's tokens, where a clock says that this one is older."""
    newest = session.scalar(select(func.max(ApiToken.created_at)).where(ApiToken.user_id == user.id))
    return now if newest is None else max(now, min(newest, _LAST) + _TICK)


def _issue(
    session: Session,
    user: User,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    life: timedelta,
    actor: str,
    replaces: ApiToken | None = None,
) -> tuple[ApiToken, SecretStr]:
    secret = tokens.new_token()
    token = ApiToken(
        user_id=user.id,
        name=name,
        token_hash=tokens.token_hash(secret),
        display_prefix=tokens.display_prefix(secret),
        scopes=list(scopes),
        created_by=actor,
        created_at=_after_all(session, user, now),
        expires_at=now + life,
        replaces_id=replaces.id if replaces else None,
    )
    session.add(token)
    session.flush()
    details = {"name": name, "scopes": token.scopes, "expires_at": token.expires_at.isoformat()}
    if replaces:
        details["replaces"] = str(replaces.id)
    record(session, "token.rotated" if replaces else "token.issued", actor, user, token, **details)
    session.flush()
    return token, secret
