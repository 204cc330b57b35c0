"""Logging in: the right password of an active person, and a refusal that does not even differ in time."""

import pytest
from passlib.hash import argon2
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.security import LONGEST, hash_password
from app.features.users import User, UserRole
from app.features.users.service import authenticate, ensure_admin, provision
from tests.features.users.support import (
    ACTOR,
    EMAIL,
    PASSWORD,
    add_person,
    audited,
    brief,
    stored,
    watch_verify,
)
from tests.support.databases import Database

TODAY = "$argon2id$v=19$m=65536,t=3,p=4$"


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were verified against."""
    return watch_verify(monkeypatch)


def hashed(kind: str, memory: int, rounds: int) -> str:
    """A hash of PASSWORD with other parameters than today's."""
    hasher = argon2.using(type=kind, memory_cost=memory, rounds=rounds, parallelism=1)
    return str(hasher.hash(PASSWORD.get_secret_value()))


def wrong(text: str = "granite Falcon 77 weaving") -> SecretStr:
    return SecretStr(text)


@pytest.mark.parametrize("email", [EMAIL, " ADA@Example.org\n"])
@pytest.mark.long_on("postgresql")
def test_the_right_password_admits(each_session: Session, email: str) -> None:
    person = add_person(each_session)
    assert authenticate(each_session, email, PASSWORD) is person


@pytest.mark.parametrize(
    "typed",
    [
        "granite Falcon 77 weaving",
        "",
        "\0",
        "\ud800" * 15,
        "x" * (LONGEST + 1),
        "x" * (LONGEST - 1) + "\N{LATIN SMALL LIGATURE FI}",
    ],
    ids=brief,
)
def test_any_other_text_does_not_after_the_same_work(
    session: Session, verified: list[str], typed: str
) -> None:
    add_person(session)
    for email in (EMAIL, "nobody@example.org"):
        assert authenticate(session, email, wrong(typed)) is None
    assert len(verified) == 2


def test_a_password_is_the_same_however_unicode_spells_it(session: Session) -> None:
    person = add_person(
        session, password_hash=hash_password(SecretStr("r\N{LATIN SMALL LETTER E WITH ACUTE}"))
    )
    assert authenticate(session, EMAIL, SecretStr("re\N{COMBINING ACUTE ACCENT}")) is person


@pytest.mark.parametrize("email", ["ada@xn--bcher-kva.example", "jose\N{COMBINING ACUTE ACCENT}@example.org"])
def test_an_admin_logs_in_with_the_address_as_it_was_given(session: Session, email: str) -> None:
    user, _ = ensure_admin(session, email, PASSWORD, actor=ACTOR)
    assert user.email != email
    assert authenticate(session, email, PASSWORD) is user


def test_an_account_that_is_not_there_costs_the_same_work(session: Session, verified: list[str]) -> None:
    add_person(session)
    assert authenticate(session, EMAIL, wrong()) is None
    assert authenticate(session, "nobody@example.org", wrong()) is None
    assert len(verified) == 2
    assert verified[0] == stored()
    assert all(hash.startswith(TODAY) for hash in verified)


@pytest.mark.long_on("postgresql")
def test_what_can_be_no_address_is_nobody(each_session: Session, verified: list[str]) -> None:
    for email in ("ada\0@example.org", "\ud800@example.org"):
        assert authenticate(each_session, email, PASSWORD) is None
    assert len(verified) == 2


def test_addresses_that_differ_in_case_are_nobody(session: Session) -> None:
    # A table that was rebuilt on SQLite without care has lost its index.
    session.execute(text("DROP INDEX ix_users_lower_email"))
    add_person(session)
    add_person(session, email="Ada@example.org")
    assert authenticate(session, EMAIL, PASSWORD) is None


def test_a_service_cannot_log_in(session: Session, verified: list[str]) -> None:
    provision(session, "ingest-bot", actor=ACTOR)
    assert authenticate(session, "ingest-bot", PASSWORD) is None
    assert len(verified) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"is_active": False},
        {"password_hash": None},
        {"password_hash": "!"},
        {"password_hash": "$argon2id$v=19$m=65536,t=3,p=4,keyid=x$c2FsdHNhbHQ$c3Vt"},
    ],
)
def test_a_deactivated_person_and_one_without_a_password_are_refused_after_the_same_work(
    session: Session, verified: list[str], values: dict[str, object]
) -> None:
    add_person(session, **values)
    assert authenticate(session, EMAIL, PASSWORD) is None
    assert len(verified) == 1


# -- hashes of other times -------------------------------------------------------------------------


def login(session: Session, stored_hash: str) -> str:
    """The hash that is stored after a login."""
    person = add_person(session, password_hash=stored_hash)
    assert authenticate(session, EMAIL, PASSWORD) is person
    session.commit()
    session.refresh(person)
    return str(person.password_hash)


@pytest.mark.parametrize(("kind", "memory", "rounds"), [("ID", 19_456, 2), ("I", 65_536, 3)])
def test_a_weaker_hash_is_replaced_at_a_login(session: Session, kind: str, memory: int, rounds: int) -> None:
    after = login(session, hashed(kind, memory, rounds))
    assert after.startswith(TODAY)
    assert audited(session) == ["password.rehashed"]
    assert authenticate(session, EMAIL, PASSWORD) is not None


@pytest.mark.parametrize(
    ("memory", "rounds"), [(65_536, 3), pytest.param(131_072, 2, marks=pytest.mark.long)]
)
def test_a_hash_that_took_as_much_or_more_work_is_left_alone(
    session: Session, memory: int, rounds: int
) -> None:
    before = hashed("ID", memory, rounds)
    assert login(session, before) == before
    assert audited(session) == []


def test_a_refused_login_replaces_nothing(session: Session) -> None:
    before = hashed("ID", 19_456, 2)
    person = add_person(session, password_hash=before)
    assert authenticate(session, EMAIL, wrong()) is None
    person.is_active = False
    assert authenticate(session, EMAIL, PASSWORD) is None
    assert person.password_hash == before


def test_a_login_changes_no_role(sqlite_accounts: Database, session: Session) -> None:
    add_person(session, role=UserRole.ADMIN)
    before = sqlite_accounts.content(volatile=True)
    assert authenticate(session, EMAIL, PASSWORD) is not None
    session.commit()
    assert sqlite_accounts.content(volatile=True) == before
    assert session.query(User).one().role is UserRole.ADMIN
