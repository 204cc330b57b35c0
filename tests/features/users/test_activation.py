"""Accounts switched off and on: at once, again without effect, and never the last admin by mistake."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import AuditEvent, User, UserRole
from app.features.users.errors import AccountConflict, AccountNotFound, InvalidName
from app.features.users.service import (
    activate_person,
    activate_service,
    authenticate,
    deactivate_person,
    deactivate_service,
    provision,
    revoke_token,
    verify_token,
)
from tests.features.users.support import ACTOR, DAY, EMAIL, NOW, PASSWORD, add_person, audited
from tests.support.databases import Database

SCOPE, NAME = "ingest:write", "ingest-bot"


@pytest.mark.long_on("postgresql")
def test_a_deactivated_services_tokens_stop_at_once_and_work_again_until_they_end(
    accounts: Database, each_session: Session
) -> None:
    raws = []
    for name, days in (("short", 1), ("long", 30), ("gone", 30)):
        issued = provision(each_session, NAME, actor=ACTOR, token_name=name, expires_in_days=days, now=NOW)
        assert issued.secret is not None
        raws.append(issued.secret.get_secret_value())
    revoke_token(each_session, NAME, issued.token.id, actor=ACTOR, now=NOW)
    each_session.commit()

    def working(day: int) -> list[bool]:
        with Session(accounts.engine) as other:
            return [verify_token(other, raw, SCOPE, now=NOW + day * DAY) is not None for raw in raws]

    assert working(0) == [True, True, False]
    off = deactivate_service(each_session, NAME, actor=ACTOR, now=NOW)
    each_session.commit()
    assert (off.user.is_active, off.changed, off.tokens) == (False, True, 2)
    assert working(0) == [False, False, False]
    on = activate_service(each_session, NAME, actor=ACTOR, now=NOW + 2 * DAY)
    each_session.commit()
    assert (on.user.is_active, on.changed, on.tokens) == (True, True, 1)
    assert working(2) == [False, True, False]


@pytest.mark.long_on("postgresql")
def test_again_changes_nothing_and_tells_the_trail_nothing(each_session: Session) -> None:
    provision(each_session, NAME, actor=ACTOR, now=NOW)
    assert not activate_service(each_session, NAME, actor=ACTOR).changed
    assert [deactivate_service(each_session, NAME, actor=ACTOR).changed for _ in range(2)] == [True, False]
    assert [activate_service(each_session, NAME, actor=ACTOR).changed for _ in range(2)] == [True, False]
    told = [action for action in audited(each_session) if action.startswith("account.")]
    assert told == ["account.activated", "account.deactivated"]


@pytest.mark.long_on("sqlite")
def test_a_person_logs_in_no_more_and_then_again(each_session: Session) -> None:
    person = add_person(each_session)
    assert deactivate_person(each_session, EMAIL.upper(), actor=ACTOR).changed
    each_session.commit()
    assert authenticate(each_session, EMAIL, PASSWORD) is None
    assert activate_person(each_session, EMAIL, actor=ACTOR).changed
    each_session.commit()
    assert authenticate(each_session, EMAIL, PASSWORD) is not None
    event = each_session.scalars(select(AuditEvent).where(AuditEvent.action == "account.activated")).one()
    assert (event.actor, event.user_id, event.details) == (ACTOR, person.id, {"account": EMAIL})


@pytest.mark.parametrize(
    "others",
    [
        [],
        [{"role": UserRole.USER}],
        [{"role": UserRole.ADMIN, "is_active": False}],
        [{"role": UserRole.ADMIN, "password_hash": None}],
    ],
    ids=["nobody else", "a user", "a deactivated admin", "an admin without a password"],
)
@pytest.mark.long_on("postgresql")
def test_the_last_admin_who_can_log_in_is_not_deactivated_unless_by_force(
    each_session: Session, others: list[dict[str, object]]
) -> None:
    admin = add_person(each_session, role=UserRole.ADMIN)
    for number, values in enumerate(others):
        add_person(each_session, email=f"{number}@example.org", **values)
    with pytest.raises(AccountConflict, match=f"{EMAIL} is the last admin who can log in"):
        deactivate_person(each_session, EMAIL, actor=ACTOR)
    assert admin.is_active
    assert deactivate_person(each_session, EMAIL, actor=ACTOR, force=True).changed
    assert not deactivate_person(each_session, EMAIL, actor=ACTOR).changed


def test_beside_another_admin_one_can_go(session: Session) -> None:
    add_person(session, role=UserRole.ADMIN)
    add_person(session, role=UserRole.ADMIN, email="bob@example.org")
    assert deactivate_person(session, EMAIL, actor=ACTOR).changed
    with pytest.raises(AccountConflict):
        deactivate_person(session, "bob@example.org", actor=ACTOR)


def test_each_kind_is_found_by_its_own_name_alone(session: Session) -> None:
    add_person(session)
    provision(session, NAME, actor=ACTOR, now=NOW)
    for change in (activate_service, deactivate_service):
        with pytest.raises(InvalidName):
            change(session, EMAIL, actor=ACTOR)
        with pytest.raises(AccountNotFound, match="there is no service account other-bot"):
            change(session, "other-bot", actor=ACTOR)
    for act in (activate_person, deactivate_person):
        with pytest.raises(InvalidName):
            act(session, NAME, actor=ACTOR)
        with pytest.raises(AccountNotFound, match=r"there is no account with the email bob@example\.org"):
            act(session, "bob@example.org", actor=ACTOR)
    assert all(session.scalars(select(User.is_active)))


def test_each_waits_for_the_lock(sqlite_accounts: Database, session: Session) -> None:
    add_person(session)
    provision(session, NAME, actor=ACTOR, now=NOW)
    session.commit()
    with Session(sqlite_accounts.engine) as other:
        take_lock(other, METADATA.tables["users"], 5)
        for change, name in (
            (activate_service, NAME),
            (deactivate_service, NAME),
            (activate_person, EMAIL),
            (deactivate_person, EMAIL),
        ):
            with pytest.raises(LockTimedOut):
                change(session, name, actor=ACTOR, lock_timeout=0.05)
            session.rollback()
