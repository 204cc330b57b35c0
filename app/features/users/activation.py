"""Accounts switched off and on again: a deactivated one has no login, and none of its tokens works."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.features.users.accounts import lock_accounts, require_person, require_service
from app.features.users.audit import record
from app.features.users.errors import AccountConflict
from app.features.users.models import ApiToken, User, UserRole


@dataclass(frozen=True)
class Switched:
    """An account that is active, or is not; whether this call did it; how many tokens that is about.

    Those are a service's tokens that are neither revoked nor expired; a person has none.
    """

    user: User
    changed: bool
    tokens: int = 0


def activate_service(
    session: Session,
    service_name: str,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Switched:
    """Let a service's tokens work again, as far as they live; InvalidName, AccountNotFound, LockTimedOut."""
    return _switch_service(session, service_name, True, actor, now, lock_timeout)


def deactivate_service(
    session: Session,
    service_name: str,
    *,
    actor: str,
    now: datetime | None = None,
    lock_timeout: float | None = None,
) -> Switched:
    """Let no token of a service work from now on; InvalidName, AccountNotFound, LockTimedOut."""
    return _switch_service(session, service_name, False, actor, now, lock_timeout)


def activate_person(
    session: Session, email: str, *, actor: str, lock_timeout: float | None = None
) -> Switched:
    """Let a person log in again; InvalidName, AccountNotFound, LockTimedOut."""
    lock_accounts(session, lock_timeout)
    return _switch(session, require_person(session, email), True, actor)


def deactivate_person(
    session: Session,
    email: str,
    *,
    actor: str,
    force: bool = False,
    lock_timeout: float | None = None,
) -> Switched:
    """Let a person log in no more.

    Raises AccountConflict for the last admin who can log in, unless `force`; InvalidName, AccountNotFound,
    LockTimedOut.
    """
    lock_accounts(session, lock_timeout)
    user = require_person(session, email)
    if user.is_active and user.role is UserRole.ADMIN and not force and not _other_admins(session, user):
        raise AccountConflict(
            f"{user.email} is the last admin who can log in: make or activate another one first,"
            " or --force it"
        )
    return _switch(session, user, False, actor)


def _switch_service(
    session: Session,
    service_name: str,
    active: bool,
    actor: str,
    now: datetime | None,
    lock_timeout: float | None,
) -> Switched:
    now = lock_accounts(session, lock_timeout, now)
    switched = _switch(session, require_service(session, service_name), active, actor)
    living = select(func.count()).where(
        ApiToken.user_id == switched.user.id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > now
    )
    return replace(switched, tokens=session.scalars(living).one())


def _switch(session: Session, user: User, active: bool, actor: str) -> Switched:
    # Tokens are not looked at: whoever manages people alone may have no right to read them.
    changed = user.is_active is not active
    if changed:
        user.is_active = active
        record(session, "account.activated" if active else "account.deactivated", actor, user)
        session.flush()
    return Switched(user, changed)


def _other_admins(session: Session, user: User) -> bool:
    """Whether another admin is active and has a password."""
    others = select(User.id).where(
        User.id != user.id, User.role == UserRole.ADMIN, User.is_active, User.password_hash.is_not(None)
    )
    return session.scalars(others.limit(1)).first() is not None
