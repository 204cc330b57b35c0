"""What a token admits to: only its scope, only while it lives, and a refusal never says why."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.features.users import ApiToken, User, UserKind, UserRole
from app.features.users.service import Issued, provision, revoke_token, verify_token
from app.features.users.tokens import new_token
from tests.features.users.support import ACTOR, DAY, NOW, TICK, add_person, add_token, statements
from tests.support.databases import Database


def issue(session: Session) -> Issued:
    """A token for writing that lives a day."""
    made = provision(session, "ingest-bot", actor=ACTOR, expires_in_days=1, now=NOW)
    session.commit()
    return made


@pytest.fixture
def issued(session: Session) -> Issued:
    return issue(session)


@pytest.fixture
def each_issued(each_session: Session) -> Issued:
    return issue(each_session)


def raw(issued: Issued) -> str:
    assert issued.secret is not None
    return issued.secret.get_secret_value()


def check(session: Session, issued: Issued, now: datetime = NOW, scope: str = "ingest:write") -> User | None:
    return verify_token(session, raw(issued), scope, now=now)


def test_a_token_stands_for_its_service(each_session: Session, each_issued: Issued) -> None:
    assert check(each_session, each_issued) is each_issued.user


def test_a_malformed_token_costs_no_query(
    each_session: Session, each_issued: Issued, database: Database
) -> None:
    good = raw(each_issued)
    typo = good[:20] + ("a" if good[20] != "a" else "b") + good[21:]
    malformed = ["", "srl_", "Bearer " + good, good + " ", good.upper(), typo, good[:-1], "\ud800", "é" * 53]
    with statements(database.engine) as seen:
        assert [verify_token(each_session, one, "ingest:write", now=NOW) for one in malformed] == [None] * 9
        assert seen == []
        assert check(each_session, each_issued) is not None
    assert any("api_tokens" in statement for statement in seen)


def test_a_token_that_nobody_issued_is_refused(session: Session, issued: Issued) -> None:
    assert verify_token(session, new_token().get_secret_value(), "ingest:write", now=NOW) is None


@pytest.mark.parametrize("scope", ["catalog:read", "ingest", "", "ingest:write "])
def test_another_scope_is_refused(session: Session, issued: Issued, scope: str) -> None:
    assert check(session, issued, scope=scope) is None


def test_a_token_expires_at_its_expiry_and_not_before(each_session: Session, each_issued: Issued) -> None:
    end = NOW + DAY
    each_session.expire_all()
    assert each_issued.token.expires_at == end
    assert check(each_session, each_issued, end - TICK) is not None
    assert check(each_session, each_issued, end) is None
    assert check(each_session, each_issued, end + TICK) is None


def test_a_revoked_token_is_refused(session: Session, issued: Issued) -> None:
    revoke_token(session, "ingest-bot", issued.token.id, actor=ACTOR, now=NOW)
    assert check(session, issued) is None


def test_a_deactivated_services_token_is_refused(session: Session, issued: Issued) -> None:
    issued.user.is_active = False
    assert check(session, issued) is None


def test_without_a_moment_it_is_now(session: Session) -> None:
    fresh = provision(session, "ingest-bot", actor=ACTOR)
    assert verify_token(session, raw(fresh), "ingest:write") is fresh.user
    session.execute(update(ApiToken).values(expires_at=utcnow()))
    assert verify_token(session, raw(fresh), "ingest:write") is None


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": NOW},
        pytest.param({"expires_at": NOW}, marks=pytest.mark.long),
        pytest.param({"scopes": ["catalog:read"]}, marks=pytest.mark.long),
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_change_is_seen_though_the_session_has_loaded_the_token(
    accounts: Database, change: dict[str, object]
) -> None:
    with Session(accounts.engine, expire_on_commit=False) as loaded, Session(accounts.engine) as other:
        issued = issue(loaded)
        assert check(loaded, issued) is issued.user
        # On SQLite nobody commits while somebody reads.
        loaded.commit() if accounts.kind == "sqlite" else None
        other.execute(update(ApiToken).values(**change))
        other.commit()
        assert check(loaded, issued) is None


def test_a_deactivation_is_seen_though_the_session_has_loaded_the_account(accounts: Database) -> None:
    with Session(accounts.engine, expire_on_commit=False) as loaded, Session(accounts.engine) as other:
        issued = issue(loaded)
        other.execute(update(User).values(role=UserRole.USER, is_active=False))
        other.commit()
        assert check(loaded, issued) is None
        other.execute(update(User).values(service_name="renamed-bot", is_active=True))
        loaded.commit()
        other.commit()
        user = check(loaded, issued)
        assert user is issued.user
        assert user.service_name == "renamed-bot"


def test_a_check_does_not_undo_what_the_session_has_not_flushed(sqlite_accounts: Database) -> None:
    with Session(sqlite_accounts.engine, autoflush=False) as session:
        issued = issue(session)
        issued.user.service_name = "renamed-bot"
        assert check(session, issued) is issued.user
        assert issued.user.service_name == "renamed-bot"


def loosen(session: Session) -> None:
    """Let rows in that the schema refuses: somebody's restore, or an older database."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        return
    for table, constraint in (("api_tokens", "ck_api_tokens_user_kind"), ("users", "ck_users_service_role")):
        session.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}"))


def test_a_persons_token_is_refused_also_where_the_schema_let_it_in(each_session: Session) -> None:
    loosen(each_session)
    person = add_person(each_session, password_hash=None)
    secret = add_token(each_session, person, user_kind="person")
    assert verify_token(each_session, secret.get_secret_value(), "ingest:write", now=NOW) is None


def test_the_token_of_a_service_that_is_an_admin_is_refused(each_session: Session) -> None:
    loosen(each_session)
    service = User(kind=UserKind.SERVICE, service_name="ingest-bot", role=UserRole.ADMIN)
    each_session.add(service)
    each_session.commit()
    secret = add_token(each_session, service)
    assert verify_token(each_session, secret.get_secret_value(), "ingest:write", now=NOW) is None


@pytest.mark.parametrize(
    "scopes", ["ingest:write and more", {"ingest:write": False}, 5, [["ingest:write"]], []]
)
def test_scopes_that_are_no_list_of_them_allow_nothing(session: Session, scopes: Any) -> None:
    service = User(kind=UserKind.SERVICE, service_name="ingest-bot")
    session.add(service)
    session.commit()
    secret = add_token(session, service, scopes=scopes)
    assert verify_token(session, secret.get_secret_value(), "ingest:write", now=NOW) is None
