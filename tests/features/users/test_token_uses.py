"""The note of a token's use: aside from the caller's transaction, and never in anybody's way."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool, StaticPool

from app.core import aside
from app.core.config import Settings
from app.core.engines import engine_options, new_engine, tame
from app.features.catalog import METADATA
from app.features.users import ApiToken, service_async, token_checks
from app.features.users.service import Issued, provision, revoke_token, verify_token
from tests.features.users.support import ACTOR, DAY, NOW, TICK, statements
from tests.support.databases import Database

MINUTE = timedelta(minutes=1)
AT_ONCE = 3
"""Seconds in which the busiest machine does what takes milliseconds; a wait for somebody takes longer."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a busy machine takes, so that what can be noted is noted when the check is over."""
    monkeypatch.setattr(aside, "PATIENCE", 10)


@pytest.fixture
def issued(accounts: Database) -> Issued:
    """A token of a day, committed in each kind of database in turn."""
    return issue(accounts)


def issue(database: Database) -> Issued:
    with Session(database.engine, expire_on_commit=False) as session:
        made = provision(session, "ingest-bot", actor=ACTOR, expires_in_days=1, now=NOW)
        session.commit()
        return made


def raw(issued: Issued) -> str:
    assert issued.secret is not None
    return issued.secret.get_secret_value()


def check(session: Session, issued: Issued, **options: Any) -> bool:
    options = {"scope": "ingest:write", "now": NOW, **options}
    return verify_token(session, raw(issued), **options) is not None


def noted(database: Database) -> Any:
    with Session(database.engine) as session:
        return session.query(ApiToken.last_used_at).scalar()


@contextmanager
def at_once() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < AT_ONCE


def own_engine(database: Database, **options: Any) -> Engine:
    url = Settings(DATABASE_URL=database.url).url()
    engine = create_engine(url, **{**engine_options(url, Settings(DATABASE_URL=database.url)), **options})
    tame(engine)
    return engine


def test_a_use_is_noted_at_most_once_a_minute(accounts: Database, issued: Issued) -> None:
    found = []
    for after in (timedelta(0), MINUTE - TICK, MINUTE, 2 * MINUTE - TICK):
        with statements(accounts.engine) as seen, Session(accounts.engine) as session:
            assert check(session, issued, now=NOW + after)
        found.append((noted(accounts), any(sql.startswith("UPDATE") for sql in seen)))
    assert found == [(NOW, True), (NOW, False), (NOW + MINUTE, True), (NOW + MINUTE, False)]


def test_another_process_does_not_note_it_again_within_the_minute(
    accounts: Database, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        monkeypatch.setattr(token_checks, "_tried", {})
        with statements(accounts.engine) as seen, Session(accounts.engine) as session:
            assert check(session, issued, now=NOW)
        assert noted(accounts) == NOW
    assert not any(sql.startswith("UPDATE") for sql in seen)


def test_a_burst_of_checks_tries_once(accounts: Database, issued: Issued) -> None:
    with statements(accounts.engine) as seen, Session(accounts.engine) as session:
        assert all(check(session, issued, now=NOW + number * TICK) for number in range(20))
    assert sum(sql.startswith("UPDATE") for sql in seen) == 1


def test_a_refused_token_is_not_noted(accounts: Database, issued: Issued) -> None:
    with statements(accounts.engine) as seen, Session(accounts.engine) as session:
        assert not check(session, issued, scope="catalog:read")
        assert not check(session, issued, now=NOW + DAY)
    assert not any(sql.startswith("UPDATE") for sql in seen)


def test_the_note_stays_where_the_callers_transaction_is_rolled_back(
    accounts: Database, issued: Issued
) -> None:
    with Session(accounts.engine) as session:
        assert check(session, issued)
        session.rollback()
        assert noted(accounts) == NOW


def test_a_session_on_a_connection_notes_it_on_another_one(accounts: Database, issued: Issued) -> None:
    with accounts.engine.connect() as connection:
        with Session(connection) as session:
            assert check(session, issued)
            session.commit()
        assert noted(accounts) == NOW


@pytest.mark.parametrize(
    "pool",
    [{"pool_size": 1, "max_overflow": 0}, pytest.param({"poolclass": NullPool}, marks=pytest.mark.long)],
)
def test_a_pool_with_no_connection_left_keeps_nobody_waiting(
    accounts: Database, issued: Issued, pool: dict[str, Any]
) -> None:
    engine = own_engine(accounts, **pool)
    with at_once(), Session(engine) as session:
        assert check(session, issued)
        session.commit()
    assert noted(accounts) == NOW
    engine.dispose()


def test_a_pool_whose_connections_are_shared_is_left_alone(sqlite: Database) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    METADATA.create_all(engine)
    with Session(engine) as session:
        issued = provision(session, "ingest-bot", actor=ACTOR, now=NOW)
        assert check(session, issued)
        session.rollback()
        assert session.query(ApiToken).count() == 0
    engine.dispose()


# -- PostgreSQL ------------------------------------------------------------------------------------


def test_a_revocation_does_not_wait_for_a_check(postgresql_accounts: Database) -> None:
    engine, issued = postgresql_accounts.engine, issue(postgresql_accounts)
    with Session(engine) as checking, Session(engine) as another, Session(engine) as revoking:
        with at_once():
            assert check(checking, issued)
            assert check(another, issued, now=NOW + 2 * MINUTE)
            revoke_token(revoking, "ingest-bot", issued.token.id, actor=ACTOR, now=NOW, lock_timeout=5)
            revoking.commit()
        assert not check(checking, issued)


@pytest.mark.parametrize(
    "lock", ["SELECT 1 FROM api_tokens FOR UPDATE", "LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE"]
)
def test_a_check_does_not_wait_for_who_holds_the_row_or_the_table(
    postgresql_accounts: Database, lock: str
) -> None:
    engine, issued = postgresql_accounts.engine, issue(postgresql_accounts)
    with Session(engine) as holding, Session(engine) as checking:
        holding.execute(text(lock))
        with at_once():
            assert check(checking, issued)
            # Whoever holds it may be the caller.
            assert check(holding, issued, now=NOW + 2 * MINUTE)
    assert noted(postgresql_accounts) is None


def test_a_read_only_transaction_checks_and_the_use_is_noted(postgresql_accounts: Database) -> None:
    issued = issue(postgresql_accounts)
    with Session(postgresql_accounts.engine) as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        assert check(session, issued)
        assert noted(postgresql_accounts) == NOW


@pytest.mark.parametrize(
    "level",
    [
        "SERIALIZABLE",
        *(pytest.param(level, marks=pytest.mark.long) for level in ("REPEATABLE READ", "AUTOCOMMIT")),
    ],
)
def test_a_session_of_another_level_checks_and_may_write_afterwards(
    postgresql_accounts: Database, level: str
) -> None:
    issued = issue(postgresql_accounts)
    engine = own_engine(postgresql_accounts, isolation_level=level)
    with Session(engine) as session:
        assert check(session, issued)
        assert noted(postgresql_accounts) == NOW
        session.execute(text("UPDATE users SET service_name = 'renamed-bot'"))
        session.commit()
    engine.dispose()


@pytest.mark.parametrize("why", ["read only", "no right"])
def test_where_nothing_may_be_written_a_check_works_and_tries_no_more(
    postgresql_accounts: Database, why: str
) -> None:
    issued, later = issue(postgresql_accounts), issue_another(postgresql_accounts)
    options = {"read only": "-c default_transaction_read_only=on", "no right": "-c role=pg_read_all_data"}
    url = make_url(postgresql_accounts.url).update_query_dict({"options": options[why]})
    engine = new_engine(Settings(DATABASE_URL=url.render_as_string(hide_password=False)))
    with statements(engine) as seen, Session(engine) as session:
        assert check(session, issued)
        assert check(session, later)
    engine.dispose()
    assert sum(sql.startswith("UPDATE") for sql in seen) == 1
    assert postgresql_accounts.scalar("SELECT count(last_used_at) FROM api_tokens") == 0


def issue_another(database: Database) -> Issued:
    with Session(database.engine, expire_on_commit=False) as session:
        made = provision(session, "other-bot", actor=ACTOR, now=NOW)
        session.commit()
        return made


# -- SQLite ----------------------------------------------------------------------------------------


def test_on_sqlite_the_caller_may_write_after_a_check(sqlite_accounts: Database) -> None:
    issued = issue(sqlite_accounts)
    with Session(sqlite_accounts.engine) as session:
        assert check(session, issued)
        session.execute(text("UPDATE users SET service_name = 'renamed-bot'"))
        session.commit()
    assert noted(sqlite_accounts) == NOW


@pytest.mark.parametrize("lock", [["BEGIN IMMEDIATE"], ["BEGIN", "SELECT * FROM users"]])
def test_on_sqlite_a_check_waits_for_no_writer_and_no_reader(
    sqlite_accounts: Database, lock: list[str]
) -> None:
    issued, engine = issue(sqlite_accounts), own_engine(sqlite_accounts, pool_size=1)
    with engine.connect() as connection:
        waits = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert waits
    with sqlite_accounts.engine.connect() as connection:
        holding = connection.connection.cursor()
        for statement in lock:
            holding.execute(statement)
        with at_once(), Session(engine) as session:
            assert check(session, issued)
        holding.execute("ROLLBACK")
    assert noted(sqlite_accounts) is None
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == waits
    engine.dispose()


def test_a_file_that_is_read_only_is_checked_against(sqlite_accounts: Database) -> None:
    issued = issue(sqlite_accounts)
    engine = new_engine(Settings(DATABASE_URL=f"sqlite:///file:{sqlite_accounts.path}?mode=ro&uri=true"))
    with Session(engine) as session:
        assert check(session, issued)
    engine.dispose()
    assert noted(sqlite_accounts) is None


# -- asynchronous ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pool",
    [{}, {"pool_size": 1, "max_overflow": 0}, pytest.param({"poolclass": NullPool}, marks=pytest.mark.long)],
)
def test_an_asynchronous_check_notes_it_too(accounts: Database, issued: Issued, pool: dict[str, Any]) -> None:
    async def checked() -> None:
        settings = Settings(DATABASE_URL=accounts.url)
        url = settings.url(asynchronous=True)
        engine = create_async_engine(url, **engine_options(url, settings), **pool)
        tame(engine.sync_engine)
        async with AsyncSession(engine) as session:
            assert await service_async.verify_token(session, raw(issued), "ingest:write", now=NOW)
            await session.commit()
        await engine.dispose()

    with at_once():
        asyncio.run(checked())
    assert noted(accounts) == NOW
