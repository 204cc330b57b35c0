"""Admin accounts: made once, promoted or given a new password where that is asked for."""

from enum import StrEnum
from functools import partial

from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.core.security import hash_password
from app.core.steps import Steps, performed
from app.features.users.accounts import add_account, find_person, lock_accounts
from app.features.users.audit import record
from app.features.users.errors import AccountConflict, PolicyError
from app.features.users.models import User, UserKind, UserRole
from app.features.users.policy import checked_email, checked_password


class AdminOutcome(StrEnum):
    """What `ensure_admin` did."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    PROMOTED = "promoted"
    RESET = "password reset"
    PROMOTED_AND_RESET = "promoted, password reset"


def needs_password(session: Session, email: str, *, reset_password: bool = False) -> bool:
    """Whether `ensure_admin` will want a password: for a new account, and for a new password."""
    return reset_password or find_person(session, checked_email(email)) is None


def admin_steps(
    session: Session,
    email: str,
    password: SecretStr | None = None,
    *,
    actor: str,
    promote: bool = False,
    reset_password: bool = False,
    lock_timeout: float | None = None,
) -> Steps[tuple[User, AdminOutcome]]:
    """An active admin with that email; the password is used where one is made, or reset.

    Raises InvalidName, PolicyError for the password, LockTimedOut, and AccountConflict for an account that
    is no admin (unless `promote`) or that was deactivated.
    """
    email = checked_email(email)
    # Before the lock and the connection, because hashing takes its time.
    hashed = None if password is None else (yield partial(_hash_of, password, email))
    lock_accounts(session, lock_timeout)
    user = find_person(session, email)
    if user is not None:
        return user, _update(session, user, hashed, actor, promote, reset_password)
    if hashed is None:
        raise PolicyError(f"the new admin {email} needs a password")
    user = User(kind=UserKind.PERSON, role=UserRole.ADMIN, email=email, password_hash=hashed)
    add_account(session, user)
    record(session, "admin.created", actor, user)
    return user, AdminOutcome.CREATED


ensure_admin = performed(admin_steps)


def _hash_of(password: SecretStr, email: str) -> str:
    return hash_password(checked_password(password, about=[email]))


def _update(
    session: Session, user: User, hashed: str | None, actor: str, promote: bool, reset_password: bool
) -> AdminOutcome:
    if not user.is_active:
        raise AccountConflict(f"the account {user.email} is deactivated; --activate makes it active again")
    promoted = user.role is not UserRole.ADMIN
    if promoted and not promote:
        raise AccountConflict(f"the account {user.email} exists and is no admin; --promote makes it one")
    if reset_password and hashed is None:
        raise PolicyError(f"a reset of the password of {user.email} needs the new one")
    if promoted:
        user.role = UserRole.ADMIN
        record(session, "admin.promoted", actor, user)
    if reset_password:
        user.password_hash = hashed
        record(session, "password.reset", actor, user)
    session.flush()
    match promoted, reset_password:
        case True, True:
            return AdminOutcome.PROMOTED_AND_RESET
        case True, False:
            return AdminOutcome.PROMOTED
        case False, True:
            return AdminOutcome.RESET
    return AdminOutcome.UNCHANGED
