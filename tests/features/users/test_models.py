"""What the tables themselves refuse, whoever writes to them."""

from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.features.users import ApiToken, AuditEvent, User
from app.features.users.accounts import add_account
from app.features.users.errors import AccountConflict
from app.features.users.provisioning import provision
from tests.features.users.support import ACTOR, add_person, add_token, count

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


def test_a_service_is_no_admin_and_does_not_become_one(each_session: Session) -> None:
    with pytest.raises(IntegrityError, match="ck_users_service_role"):
        insert(each_session, SERVICE | {"role": "admin"})
    insert(each_session, SERVICE)
    with pytest.raises(IntegrityError, match="ck_users_service_role"), each_session.begin_nested():
        each_session.execute(text("UPDATE users SET role = 'admin'"))


def test_an_address_is_one_accounts_in_whatever_case(each_session: Session) -> None:
    insert(each_session, PERSON)
    with pytest.raises(IntegrityError, match="ix_users_lower_email"):
        insert(each_session, PERSON | {"email": "Ada@Example.ORG"})


@pytest.mark.parametrize("email", ["", " ada@example.org", "ada@example.org "])
def test_an_address_has_no_spaces_around_it(each_session: Session, email: str) -> None:
    with pytest.raises(IntegrityError, match="ck_users_email"):
        insert(each_session, PERSON | {"email": email})


@pytest.mark.parametrize("kind", ["person", "service"])
def test_a_token_is_a_services(each_session: Session, kind: str) -> None:
    person = add_person(each_session, password_hash=None)
    with pytest.raises(IntegrityError, match=r"(?i)ck_api_tokens_user_kind|foreign key"):
        add_token(each_session, person, user_kind=kind)


def test_a_service_with_tokens_does_not_become_a_person(each_session: Session) -> None:
    service = User(**SERVICE)
    each_session.add(service)
    each_session.commit()
    add_token(each_session, service)
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        each_session.execute(text("UPDATE users SET kind = 'person', email = 'a@b.c', service_name = NULL"))


def test_tokens_go_with_their_service_and_the_trail_stays(each_session: Session) -> None:
    issued = provision(each_session, "ingest-bot", actor=ACTOR)
    each_session.commit()
    each_session.execute(text("DELETE FROM users"))
    assert (count(each_session, User), count(each_session, ApiToken)) == (0, 0)
    trail = each_session.scalars(select(AuditEvent)).all()
    assert [event.user_id for event in trail] == [issued.user.id] * 2


def test_an_account_that_another_run_added_in_another_case_is_a_conflict(each_session: Session) -> None:
    add_person(each_session, password_hash=None, email="Ada@Example.org")
    with pytest.raises(AccountConflict, match=r"the account '?ada@example\.org'? was made by somebody else"):
        add_account(each_session, User(**PERSON))
