"""The lock of a transaction: others wait, give up in time, and go on when it ends."""

import math
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.config import Settings, get_settings
from app.core.engines import new_engine
from app.core.errors import ConfigurationError, LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from seedrail.dialects.postgresql import ADVISORY_LOCK
from tests.support.databases import Database
from tests.support.tables import with_tables

USERS, MACHINES = METADATA.tables["users"], METADATA.tables["machines"]


@pytest.fixture
def locked(database: Database) -> Iterator[Session]:
    """A transaction that holds the lock of the users."""
    with Session(with_tables(database).engine) as session:
        take_lock(session, USERS, 5)
        yield session


def test_another_transaction_gives_up_in_time(locked: Session, database: Database) -> None:
    started = time.monotonic()
    with Session(database.engine) as second, pytest.raises(LockTimedOut, match=r"gave up after 0\.3 s"):
        take_lock(second, USERS, 0.3)
    assert 0.2 < time.monotonic() - started < 5


def test_the_setting_is_the_default(
    locked: Session, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_LOCK_TIMEOUT", "0.2")
    get_settings.cache_clear()
    try:
        with Session(database.engine) as second, pytest.raises(LockTimedOut) as caught:
            take_lock(second, USERS)
    finally:
        get_settings.cache_clear()
    assert caught.value.seconds == 0.2


@pytest.mark.parametrize("end", ["commit", "rollback", "close"])
def test_the_lock_ends_with_its_transaction(locked: Session, database: Database, end: str) -> None:
    getattr(locked, end)()
    with Session(database.engine) as second:
        take_lock(second, USERS, 0.2)


def test_a_waiting_transaction_goes_on_when_the_lock_ends(locked: Session, database: Database) -> None:
    release = threading.Timer(0.3, locked.commit)
    with Session(database.engine) as second:
        release.start()
        started = time.monotonic()
        take_lock(second, USERS, 20)
        assert 0.2 < time.monotonic() - started < 15
    release.join()


def test_a_transaction_may_take_its_lock_again(locked: Session) -> None:
    take_lock(locked, USERS, 0.2)


def test_readers_are_not_kept_waiting(locked: Session, database: Database) -> None:
    assert database.scalar("SELECT count(*) FROM users") == 0


def test_on_postgresql_each_table_has_a_lock_of_its_own(locked: Session, database: Database) -> None:
    with Session(database.engine) as second:
        if database.kind == "postgresql":
            take_lock(second, MACHINES, 0.2)
        else:
            with pytest.raises(LockTimedOut):
                take_lock(second, MACHINES, 0.2)


def test_no_other_applications_advisory_lock_is_in_the_way(postgresql: Database) -> None:
    with_tables(postgresql)
    users = zlib.crc32(b"users")
    with Session(postgresql.engine) as other, Session(postgresql.engine) as session:
        for key in (f"{0x5EED}, {users & 0x7FFF_FFFF}", f"{0x5EED}", f"{users}", f"{ADVISORY_LOCK}", "0, 0"):
            other.execute(text(f"SELECT pg_advisory_lock({key})"))
        take_lock(session, USERS, 0.2)
        other.execute(text("SELECT pg_advisory_unlock_all()"))


def test_each_schema_has_a_lock_of_its_own(postgresql: Database) -> None:
    engines = []
    for schema in ("first", "second"):
        postgresql.execute(f"CREATE SCHEMA {schema}")
        url = make_url(postgresql.url).update_query_dict({"options": f"-c search_path={schema}"})
        engines.append(new_engine(Settings(DATABASE_URL=url.render_as_string(hide_password=False))))
        METADATA.create_all(engines[-1])
    with Session(engines[0]) as first, Session(engines[0]) as again, Session(engines[1]) as second:
        take_lock(first, USERS, 5)
        take_lock(second, USERS, 0.2)
        # However the table was found.
        again.execute(text("SET LOCAL search_path = second, first"))
        with pytest.raises(LockTimedOut):
            take_lock(again, USERS, 0.1)
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(
    "level", ["REPEATABLE READ", "AUTOCOMMIT", pytest.param("SERIALIZABLE", marks=pytest.mark.long)]
)
def test_a_session_that_would_not_see_what_others_did_is_refused(postgresql: Database, level: str) -> None:
    with_tables(postgresql)
    with (
        Session(postgresql.engine.execution_options(isolation_level=level)) as session,
        pytest.raises(ConfigurationError, match=f"(?i){level}.*READ COMMITTED"),
    ):
        take_lock(session, USERS, 5)


@pytest.mark.parametrize(
    "level", ["REPEATABLE READ", pytest.param("READ UNCOMMITTED", marks=pytest.mark.long)]
)
def test_the_level_counts_that_the_transaction_has(postgresql: Database, level: str) -> None:
    with_tables(postgresql)
    with Session(postgresql.engine) as session:
        session.execute(text(f"SET TRANSACTION ISOLATION LEVEL {level}"))
        with pytest.raises(ConfigurationError) if level == "REPEATABLE READ" else nullcontext():
            take_lock(session, USERS, 5)


def test_taking_it_changes_no_row(locked: Session, database: Database) -> None:
    locked.rollback()
    database.execute(
        "INSERT INTO machines (id, name, site, architecture, scheduler) VALUES (:id, 'm', 's', 'a', 's')",
        id="0" * 32,
    )
    before = database.content(volatile=True)
    with Session(database.engine) as session:
        take_lock(session, MACHINES, 5)
        session.commit()
    assert database.content(volatile=True) == before


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 86_401])
def test_a_timeout_that_is_none_is_refused(sqlite: Database, seconds: float) -> None:
    with Session(sqlite.engine) as session, pytest.raises(ConfigurationError, match="a lock timeout lasts"):
        take_lock(session, USERS, seconds)


def test_another_failure_is_not_called_a_timeout(sqlite: Database) -> None:
    with Session(sqlite.engine) as session, pytest.raises(OperationalError, match="no such table"):
        take_lock(session, USERS, 0.2)
