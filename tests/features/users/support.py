"""What the tests of accounts share: a password, a moment, accounts that are there already, SQL noted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest
from passlib.context import CryptContext
from pydantic import SecretStr
from sqlalchemy import event, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.core.security import hash_password
from app.features.users import ApiToken, AuditEvent, User, UserKind
from app.features.users.tokens import display_prefix, new_token, token_hash

EMAIL, ACTOR = "ada@example.org", "grace@console"
PASSWORD = SecretStr("umbrella Kestrel 41 rowing")
NOW = datetime(2031, 5, 6, 7, 8, 9, 123_456, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TICK = timedelta(microseconds=1)


@lru_cache(maxsize=1)
def stored() -> str:
    """A hash of PASSWORD: made once, because that takes its time."""
    return hash_password(PASSWORD)


def add_person(session: Session, **values: Any) -> User:
    """A person's account that is there already."""
    given = {"email": EMAIL, "password_hash": stored(), **values}
    person = User(kind=UserKind.PERSON, **given)
    session.add(person)
    session.commit()
    return person


def brief(text: str) -> str:
    """The name of a test that is given a long text, or one that no terminal shows."""
    return f"{len(text)} of {text[-1:]!a}"


def add_token(session: Session, user: User, **values: Any) -> SecretStr:
    """A token that no service function issued."""
    secret = new_token()
    given: dict[str, Any] = {
        "name": "default",
        "token_hash": token_hash(secret),
        "display_prefix": display_prefix(secret),
        "scopes": ["ingest:write"],
        "created_by": ACTOR,
        "created_at": NOW,
        "expires_at": NOW + DAY,
    }
    session.add(ApiToken(user_id=user.id, **{**given, **values}))
    session.commit()
    return secret


def watch_verify(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords are verified against from now on."""
    seen: list[str] = []
    verify = CryptContext.verify

    def watched(context: CryptContext, secret: str, hash: str) -> bool:
        seen.append(hash)
        return bool(verify(context, secret, hash))

    monkeypatch.setattr(CryptContext, "verify", watched)
    return seen


def count(session: Session, model: type[User] | type[ApiToken] | type[AuditEvent]) -> int:
    return session.scalars(select(func.count()).select_from(model)).one()


def audited(session: Session) -> list[str]:
    """The actions in the trail, oldest first."""
    session.flush()
    return sorted(session.scalars(select(AuditEvent.action)))


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The SQL that is executed in the block."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
