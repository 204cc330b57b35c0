"""What a token admits to: only its scope, only while it lives, and a refusal never says why."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.features.users import User
from app.features.users.service import Issued, provision, revoke_token, verify_token
from app.features.users.tokens import new_token
from tests.features.users.support import ACTOR, DAY, NOW, TICK, statements
from tests.support.databases import Database

FIVE_MINUTES = timedelta(minutes=5)


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


def test_a_refused_token_is_not_noted_as_used(session: Session, issued: Issued) -> None:
    check(session, issued, scope="catalog:read")
    check(session, issued, NOW + DAY)
    session.refresh(issued.token)
    assert issued.token.last_used_at is None


def test_a_use_is_noted_at_most_every_five_minutes(
    each_session: Session, each_issued: Issued, database: Database
) -> None:
    noted = []
    for after in (timedelta(0), FIVE_MINUTES - TICK, FIVE_MINUTES, 2 * FIVE_MINUTES - TICK):
        with statements(database.engine) as seen:
            assert check(each_session, each_issued, NOW + after) is not None
        each_session.refresh(each_issued.token)
        noted.append((each_issued.token.last_used_at, any(sql.startswith("UPDATE") for sql in seen)))
    assert noted == [
        (NOW, True),
        (NOW, False),
        (NOW + FIVE_MINUTES, True),
        (NOW + FIVE_MINUTES, False),
    ]


def test_of_two_uses_at_once_the_second_finds_it_noted(postgresql_accounts: Database) -> None:
    engine = postgresql_accounts.engine
    with Session(engine, expire_on_commit=False) as first:
        issued = issue(first)
        noted = []

        @event.listens_for(engine, "before_cursor_execute")
        def overtake(connection: object, cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("UPDATE") and not noted:
                noted.append(NOW + TICK)
                with Session(engine) as second, second.begin():
                    assert check(second, issued, NOW + TICK) is not None

        assert check(first, issued) is not None
        first.commit()
        first.refresh(issued.token)
        assert [issued.token.last_used_at] == noted


def test_without_a_moment_it_is_now(session: Session) -> None:
    fresh = provision(session, "ingest-bot", actor=ACTOR)
    assert verify_token(session, raw(fresh), "ingest:write") is fresh.user
    assert fresh.token.last_used_at is not None
    assert fresh.token.created_at <= fresh.token.last_used_at < fresh.token.created_at + FIVE_MINUTES
