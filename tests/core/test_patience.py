"""SQLite's locks: waited for as long as was said, and no longer than a moment after a signal."""

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.engines import connected, new_engine
from app.core.patience import PATIENCE
from seedrail import LockTimeout
from tests.support.databases import Database
from tests.support.waits import ctrl_c

LATE = 2.0
"""Seconds after which a busy machine would have heeded a signal all the same; the wait is for a minute."""


@pytest.fixture
def holder(sqlite: Database) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection, which holds the write lock."""
    sqlite.execute("CREATE TABLE t (a)")
    sqlite.close()
    # A timer may end it.
    connection = sqlite3.connect(sqlite.path or "", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    yield connection
    connection.close()


def engine_for(database: Database, *, migrating: bool = False, seconds: float = 60) -> Engine:
    return new_engine(Settings(DATABASE_URL=database.url, lock_timeout=seconds), migrating=migrating)


@pytest.mark.parametrize("migrating", [True, False])
def test_ctrl_c_ends_a_wait(holder: sqlite3.Connection, sqlite: Database, migrating: bool) -> None:
    started = time.monotonic()
    engine = engine_for(sqlite, migrating=migrating)
    with ctrl_c(), pytest.raises(KeyboardInterrupt), connected(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert time.monotonic() - started < 0.3 + LATE


def test_ctrl_c_ends_the_wait_of_an_asynchronous_session(
    holder: sqlite3.Connection, sqlite: Database
) -> None:
    async def write() -> None:
        engine = new_async_engine(Settings(DATABASE_URL=sqlite.url))
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))

    started = time.monotonic()
    with ctrl_c(), pytest.raises(KeyboardInterrupt):
        asyncio.run(write())
    assert time.monotonic() - started < 0.3 + LATE


def test_a_commit_waits_for_readers_and_ctrl_c_ends_that_too(
    holder: sqlite3.Connection, sqlite: Database
) -> None:
    holder.execute("COMMIT")
    holder.execute("INSERT INTO t VALUES (0)")
    holder.execute("BEGIN")
    holder.execute("SELECT * FROM t").fetchone()
    with engine_for(sqlite).connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        with ctrl_c(), pytest.raises(KeyboardInterrupt):
            connection.commit()
    holder.execute("COMMIT")
    # A process would end here; in this one, the traceback holds the interrupted statement, and that the lock.
    gc.collect()
    assert sqlite.scalar("SELECT count(*) FROM t") == 1


@pytest.mark.parametrize("migrating", [True, False])
def test_a_wait_goes_on_when_the_lock_ends(
    holder: sqlite3.Connection, sqlite: Database, migrating: bool
) -> None:
    threading.Timer(0.4, holder.execute, ("COMMIT",)).start()
    engine = engine_for(sqlite, migrating=migrating)
    with connected(engine) as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        connection.commit()
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("seconds", [0.05, 0.35])
def test_a_wait_lasts_as_long_as_was_said(
    holder: sqlite3.Connection, sqlite: Database, seconds: float
) -> None:
    started = time.monotonic()
    with pytest.raises(LockTimeout), connected(engine_for(sqlite, seconds=seconds)):
        pass
    assert seconds - 0.05 < time.monotonic() - started < seconds + LATE


def test_a_url_may_say_how_long(holder: sqlite3.Connection, sqlite: Database) -> None:
    sqlite.address += "?timeout=0.2"
    started = time.monotonic()
    with pytest.raises(LockTimeout), connected(engine_for(sqlite)):
        pass
    assert time.monotonic() - started < LATE


def test_a_statement_may_wait_less_than_its_engine(holder: sqlite3.Connection, sqlite: Database) -> None:
    started = time.monotonic()
    with engine_for(sqlite).connect() as connection, pytest.raises(OperationalError, match="locked"):
        connection.execute(text("INSERT INTO t VALUES (1)"), execution_options={PATIENCE: 0.1})
    assert time.monotonic() - started < LATE


def test_what_no_waiting_helps_is_refused_at_once(holder: sqlite3.Connection, sqlite: Database) -> None:
    holder.execute("COMMIT")
    with engine_for(sqlite).connect() as connection:
        connection.exec_driver_sql("SELECT * FROM t").fetchall()
        holder.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(OperationalError, match="locked"):
            connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    assert time.monotonic() - started < LATE


def test_an_error_at_the_commit_is_that_error(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
    sqlite.execute("CREATE TABLE c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
    with sqlite.engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO c VALUES (1)")
        with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
            connection.commit()
        connection.rollback()
    assert sqlite.scalar("SELECT count(*) FROM c") == 0


def test_a_connection_that_has_not_begun_holds_nobody_up(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE t (a)")
    with connected(engine_for(sqlite)), connected(engine_for(sqlite, seconds=0.1)) as other:
        other.exec_driver_sql("INSERT INTO t VALUES (1)")
        other.commit()
    assert sqlite.scalar("SELECT count(*) FROM t") == 1
