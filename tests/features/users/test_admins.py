"""Admin accounts: made once, left alone after that, promoted or reset only where that is asked for."""

import threading

import pytest
from pydantic import SecretStr
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from app.core.errors import LockTimedOut
from app.core.locks import take_lock
from app.core.security import verify_password
from app.features.catalog import METADATA
from app.features.users import AuditEvent, User, UserKind, UserRole
from app.features.users.errors import AccountConflict, InvalidName, PolicyError
from app.features.users.service import AdminOutcome, ensure_admin, needs_password
from tests.features.users.support import ACTOR, EMAIL, PASSWORD, add_person, audited, count, stored
from tests.support.databases import Database

ANOTHER = SecretStr("granite Falcon 77 weaving")


def ensure(session: Session, password: SecretStr | None = None, **options: bool) -> AdminOutcome:
    """`ensure_admin` for the usual address; the outcome."""
    user, outcome = ensure_admin(session, EMAIL, password, actor=ACTOR, **options)
    session.commit()
    assert user.email == EMAIL
    return outcome


def test_a_new_admin_is_an_active_person_with_a_hashed_password(each_session: Session) -> None:
    user, outcome = ensure_admin(each_session, " Ada@Example.org ", PASSWORD, actor=ACTOR)
    each_session.commit()
    each_session.refresh(user)
    assert (outcome, user.email) == (AdminOutcome.CREATED, EMAIL)
    assert (user.kind, user.role, user.is_active) == (UserKind.PERSON, UserRole.ADMIN, True)
    assert verify_password(PASSWORD, user.password_hash)


@pytest.mark.parametrize("password", [None, ANOTHER])
def test_an_admin_that_is_there_stays_as_it_is(
    sqlite_accounts: Database, session: Session, password: SecretStr | None
) -> None:
    add_person(session, role=UserRole.ADMIN)
    before = sqlite_accounts.content(volatile=True)
    assert ensure(session, password) is AdminOutcome.UNCHANGED
    assert sqlite_accounts.content(volatile=True) == before


def test_an_admin_whose_address_somebody_wrote_otherwise_is_found(session: Session) -> None:
    add_person(session, role=UserRole.ADMIN, email="Ada@Example.org")
    user, outcome = ensure_admin(session, EMAIL, actor=ACTOR)
    assert (user.email, outcome) == ("Ada@Example.org", AdminOutcome.UNCHANGED)


def test_accounts_that_differ_in_case_are_a_conflict(session: Session) -> None:
    # A table that was rebuilt on SQLite without care has lost its index.
    session.execute(text("DROP INDEX ix_users_lower_email"))
    add_person(session)
    add_person(session, email="Ada@example.org")
    with pytest.raises(AccountConflict, match=r"several accounts have the email ada@example\.org"):
        ensure(session)


def test_an_account_that_is_no_admin_is_a_conflict(session: Session) -> None:
    person = add_person(session)
    with pytest.raises(AccountConflict, match="exists and is no admin; --promote"):
        ensure(session)
    assert person.role is UserRole.USER


def test_promoting_keeps_the_password(session: Session) -> None:
    person = add_person(session)
    assert ensure(session, promote=True) is AdminOutcome.PROMOTED
    assert (person.role, person.password_hash) == (UserRole.ADMIN, stored())
    assert ensure(session, promote=True) is AdminOutcome.UNCHANGED


def test_a_reset_sets_the_new_password(session: Session) -> None:
    person = add_person(session, role=UserRole.ADMIN)
    assert ensure(session, ANOTHER, reset_password=True) is AdminOutcome.RESET
    assert verify_password(ANOTHER, person.password_hash)


def test_promoting_and_resetting_go_together(session: Session) -> None:
    person = add_person(session)
    outcome = ensure(session, ANOTHER, promote=True, reset_password=True)
    assert (outcome, person.role) == (AdminOutcome.PROMOTED_AND_RESET, UserRole.ADMIN)
    assert audited(session) == ["admin.promoted", "password.reset"]


def test_a_reset_of_an_account_that_is_no_admin_is_a_conflict(session: Session) -> None:
    person = add_person(session)
    with pytest.raises(AccountConflict):
        ensure(session, ANOTHER, reset_password=True)
    assert person.password_hash == stored()


@pytest.mark.parametrize(
    ("options", "password"), [({}, None), ({"promote": True}, None), ({"reset_password": True}, ANOTHER)]
)
def test_a_deactivated_account_is_a_conflict(
    session: Session, options: dict[str, bool], password: SecretStr | None
) -> None:
    person = add_person(session, role=UserRole.ADMIN, is_active=False)
    with pytest.raises(AccountConflict, match="is deactivated"):
        ensure(session, password, **options)
    assert (person.is_active, person.password_hash) == (False, stored())


def test_a_new_admin_and_a_reset_need_a_password(session: Session) -> None:
    with pytest.raises(PolicyError, match=r"the new admin ada@example\.org needs a password"):
        ensure(session)
    add_person(session, role=UserRole.ADMIN)
    with pytest.raises(PolicyError, match="needs the new one"):
        ensure(session, reset_password=True)


@pytest.mark.parametrize("weak", ["umbrella Kest", "passwordpassword", "ada@example.org"])
def test_the_policy_holds_for_every_caller(session: Session, weak: str) -> None:
    with pytest.raises(PolicyError):
        ensure(session, SecretStr(weak))
    assert count(session, User) == 0


def test_what_is_no_address_is_refused(session: Session) -> None:
    with pytest.raises(InvalidName):
        ensure_admin(session, "ada", PASSWORD, actor=ACTOR)


def test_a_password_is_needed_for_a_new_account_and_for_a_reset(session: Session) -> None:
    assert needs_password(session, EMAIL)
    add_person(session)
    assert not needs_password(session, EMAIL.upper())
    assert needs_password(session, EMAIL, reset_password=True)


def test_it_waits_for_the_lock_no_longer_than_it_may(accounts: Database, each_session: Session) -> None:
    with Session(accounts.engine) as other:
        take_lock(other, METADATA.tables["users"], 5)
        with pytest.raises(LockTimedOut):
            ensure_admin(each_session, EMAIL, PASSWORD, actor=ACTOR, lock_timeout=0.2)
    each_session.rollback()
    assert count(each_session, User) == 0


def test_an_account_that_somebody_made_without_the_lock_is_a_conflict(postgresql_accounts: Database) -> None:
    with Session(postgresql_accounts.engine) as session:

        @event.listens_for(session, "before_flush", once=True)
        def sign_up(*_: object) -> None:
            with Session(postgresql_accounts.engine) as other:
                add_person(other)

        with pytest.raises(AccountConflict, match="was made by somebody else at this moment"):
            ensure(session, PASSWORD)
        session.rollback()
        assert session.scalars(select(User.role)).all() == [UserRole.USER]


def test_of_many_threads_one_makes_the_admin(accounts: Database) -> None:
    outcomes: list[AdminOutcome] = []

    def run() -> None:
        with Session(accounts.engine) as session:
            outcomes.append(ensure(session, PASSWORD))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [AdminOutcome.CREATED, AdminOutcome.UNCHANGED, AdminOutcome.UNCHANGED]
    with Session(accounts.engine) as session:
        assert (count(session, User), count(session, AuditEvent)) == (1, 1)
