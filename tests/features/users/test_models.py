"""What the tables themselves refuse, whoever writes to them."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.features.users import User
from tests.features.users.support import add_person

PERSON = {"kind": "person", "email": "ada@example.org"}
SERVICE = {"kind": "service", "service_name": "bot"}


def insert(session: Session, values: dict[str, str]) -> None:
    """As SQL, because the model's enums would refuse some values first."""
    columns, given = ", ".join(values), ", ".join(f"'{value}'" for value in values.values())
    with session.begin_nested():
        session.connection().exec_driver_sql(
            f"INSERT INTO users (id, {columns}) VALUES ('{uuid4().hex}', {given})"
        )


def test_a_person_has_an_address_and_a_service_a_name(each_session: Session) -> None:
    for values in (PERSON, SERVICE, PERSON | {"email": "b@example.org", "password_hash": "x"}):
        insert(each_session, values)


def test_an_account_that_is_both_or_neither_is_refused(each_session: Session) -> None:
    for values in (
        SERVICE | {"password_hash": "x"},
        SERVICE | {"email": "ada@example.org"},
        PERSON | {"service_name": "bot"},
        {"kind": "service"},
        {"kind": "person", "password_hash": "x"},
        PERSON | {"kind": "robot"},
        PERSON | {"role": "owner"},
    ):
        with pytest.raises(IntegrityError, match=r"(?i)check constraint"):
            insert(each_session, values)


def test_a_service_is_refused_a_password_afterwards(each_session: Session) -> None:
    service = User(**SERVICE)
    each_session.add(service)
    each_session.commit()
    service.password_hash = "x"
    with pytest.raises(IntegrityError, match="ck_users_identity"):
        each_session.flush()


def test_an_address_and_a_name_belong_to_one_account(each_session: Session) -> None:
    for values in (PERSON, SERVICE):
        insert(each_session, values)
        with pytest.raises(IntegrityError, match=r"(?i)unique"):
            insert(each_session, values)


def test_no_text_of_an_account_shows_its_hash(session: Session) -> None:
    person = add_person(session)
    assert str(person.password_hash) not in f"{person!r} {person}"
