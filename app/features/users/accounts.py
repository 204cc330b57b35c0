"""Accounts in the database: found, added, and locked while they change."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.core.locks import take_lock
from app.features.users.errors import AccountConflict, AccountNotFound
from app.features.users.models import User
from app.features.users.policy import checked_email, checked_service_name


def lock_accounts(session: Session, seconds: float | None, now: datetime | None = None) -> datetime:
    """Keep other changes of accounts and tokens out until the transaction ends; LockTimedOut.

    Returns the moment of the change: the clock's once the lock is had, because the wait for it may have been
    long, or `now` where the caller knows better.
    """
    take_lock(session, cast(Table, User.__table__), seconds)
    # What is read from here on replaces what the session remembers, and must not replace what it has to say.
    session.flush()
    return now or utcnow()


def as_stored(session: Session) -> dict[str, Any]:
    """Execution options of a query that reads rows anew, also those that the session has objects of.

    Without it an object that was loaded before would hide what others committed since. One that was changed
    here, in a session that does not flush by itself, stays as it is.
    """
    return {"populate_existing": session.autoflush or not session.dirty}


def find_person(session: Session, email: str) -> User | None:
    """The account of an email address in whatever case; AccountConflict where several differ in case."""
    found = session.scalars(
        select(User).where(func.lower(User.email) == email.lower()).limit(2),
        execution_options=as_stored(session),
    ).all()
    if len(found) > 1:
        raise AccountConflict(f"several accounts have the email {email}, in different case: merge them first")
    return found[0] if found else None


def find_service(session: Session, name: str) -> User | None:
    """The service account of that name."""
    query = select(User).where(User.service_name == name)
    return session.scalars(query, execution_options=as_stored(session)).one_or_none()


def require_person(session: Session, email: str) -> User:
    """The account of that address; InvalidName, AccountNotFound, AccountConflict as of `find_person`."""
    user = find_person(session, address := checked_email(email))
    if user is None:
        raise AccountNotFound(f"there is no account with the email {address}")
    return user


def require_service(session: Session, name: str) -> User:
    """The service account of that name; InvalidName, AccountNotFound."""
    user = find_service(session, checked_service_name(name))
    if user is None:
        raise AccountNotFound(f"there is no service account {name}")
    return user


def add_account(session: Session, user: User) -> None:
    """Add an account; AccountConflict where somebody else added it a moment ago, without the lock."""
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        name = user.email or user.service_name
        raise AccountConflict(f"the account {name} was made by somebody else at this moment") from None
