"""The lock of a transaction: others wait, give up in time, and go on when it ends."""

import math
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.core.config import get_settings
from app.core.errors import ConfigurationError, LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from tests.support.databases import Database

USERS, MACHINES = METADATA.tables["users"], METADATA.tables["machines"]


@pytest.fixture
def locked(database: Database) -> Iterator[Session]:
    """A transaction that holds the lock of the users."""
    METADATA.create_all(database.engine)
    with Session(database.engine) as session:
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
