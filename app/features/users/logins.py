"""Logging in with a password. A refusal never says why, and takes as long as any other."""

from functools import partial
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import CursorResult, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.core.security import hash_password, is_weaker, verify_password
from app.core.steps import Steps, performed
from app.features.users.accounts import find_person
from app.features.users.audit import record
from app.features.users.errors import AccountConflict, InvalidName
from app.features.users.models import User, UserKind
from app.features.users.policy import checked_email

_TIMES = 3
"""How often a password is verified where the stored hash is another one each time."""


def login_steps(session: Session, email: str, password: SecretStr) -> Steps[User | None]:
    """The active person with that email and password, or None; a wrong email takes as long as a right one.

    No connection is held while the password is verified, unless the caller's transaction holds one already. A
    hash that is weaker than today's is replaced, in the caller's transaction; a stronger one is not.
    """
    stored = _stored_hash(session, email)
    for _ in range(_TIMES):
        verified, stronger = yield partial(_judged, password, stored)
        if not verified:
            return None
        # Much may have happened meanwhile: what counts is what is there now.
        user = find_login(session, email)
        if user is None or not user.is_active or user.kind is not UserKind.PERSON:
            return None
        if user.password_hash == stored:
            if stronger is not None:
                _replace_hash(session, user, stronger)
            return user
        stored = user.password_hash
    return None


authenticate = performed(login_steps)


def find_login(session: Session, email: str) -> User | None:
    """The person of an address in the form it is stored in; None for no address, or for several people's."""
    try:
        return find_person(session, checked_email(email))
    except (InvalidName, AccountConflict):
        return None


def _judged(password: SecretStr, stored: str | None) -> tuple[bool, str | None]:
    """Whether the password belongs to the hash, and a stronger one where that is a weak one."""
    if not verify_password(password, stored):
        return False, None
    return True, hash_password(password) if stored is not None and is_weaker(stored) else None


def _stored_hash(session: Session, email: str) -> str | None:
    """The hash of a login, without taking a connection for the caller's session to hold."""
    bind = session.get_bind(User)
    if isinstance(bind, Connection) or _is_at_work(session):
        user = find_login(session, email)
    else:
        with Session(bind) as own:
            user = find_login(own, email)
    return user.password_hash if user else None


def _is_at_work(session: Session) -> bool:
    """Whether the session has a connection already, or changes that only its own queries would see."""
    transaction = session.get_transaction()
    # A transaction that was begun takes its connection with the first statement, which no attribute tells.
    connected = transaction is not None and bool(transaction._connections)
    return connected or bool(session.new or session.dirty or session.deleted)


def _replace_hash(session: Session, user: User, stronger: str) -> None:
    """Store the stronger hash, if that can be done now: never over another one, and waiting for nobody.

    A login does not fail where the row is locked, or the database is read-only.
    """
    same = (User.id == user.id, User.password_hash == user.password_hash)
    try:
        with session.begin_nested():
            if session.scalar(select(User.id).where(*same).with_for_update(skip_locked=True)) is None:
                return
            change = update(User).where(*same).values(password_hash=stronger)
            done = session.execute(change, execution_options={"synchronize_session": False})
            if not cast(CursorResult[Any], done).rowcount:
                return
            record(session, "password.rehashed", str(user.email), user)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return
    session.refresh(user)
