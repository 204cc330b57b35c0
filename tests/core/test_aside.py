"""Writes aside: who asks for one goes on in time, whatever becomes of it."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

from app.core import aside
from app.core.aside import write_aside
from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.engines import new_engine
from app.features.users import User
from tests.support.databases import Database

PATIENCE, STALL = 0.05, 0.5


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little, for what stalls; and for the rest more than a busy machine takes."""
    monkeypatch.setattr(aside, "PATIENCE", PATIENCE if "long_in_coming" in request.node.name else 10)


@pytest.fixture
def engine(postgresql: Database) -> Iterator[Engine]:
    """An engine of its own on a table of notes, which has opened no connection yet."""
    postgresql.execute("CREATE TABLE notes (note text)")
    engine = new_engine(Settings(DATABASE_URL=postgresql.url))
    yield engine
    engine.dispose()


def note(connection: Connection) -> None:
    connection.execute(text("INSERT INTO notes VALUES ('done')"))


def notes(database: Database) -> int:
    return int(database.scalar("SELECT count(*) FROM notes"))


@pytest.mark.long
def test_who_asks_goes_on_while_a_connection_is_long_in_coming(engine: Engine, postgresql: Database) -> None:
    with Session(engine) as session:
        session.connection()
        event.listen(engine, "do_connect", lambda *_: time.sleep(STALL))
        took = []
        for _ in range(3):
            started = time.monotonic()
            write_aside(session, User, note)
            took.append(time.monotonic() - started)
        # Nobody else waits for a server that is known to be slow.
        assert PATIENCE <= took[0] < STALL
        assert max(took[1:]) < PATIENCE
        deadline = time.monotonic() + 10
        while notes(postgresql) < 2 and time.monotonic() < deadline:
            # The first one is made by and by; others are again, when it is.
            write_aside(session, User, note)
            time.sleep(0.02)
    assert notes(postgresql) >= 2


def test_the_event_loop_goes_on_while_a_connection_is_long_in_coming(
    engine: Engine, postgresql: Database
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    async def asked() -> float:
        own = new_async_engine(Settings(DATABASE_URL=postgresql.url))
        ticking = asyncio.create_task(tick())
        async with AsyncSession(own) as session:
            await session.connection()
            event.listen(own.sync_engine, "do_connect", lambda *_: await_only(asyncio.sleep(STALL)))
            started = time.monotonic()
            await session.run_sync(write_aside, User, note)
            took = time.monotonic() - started
            while not notes(postgresql):
                await asyncio.sleep(0.02)
        ticking.cancel()
        await own.dispose()
        return took

    assert PATIENCE <= asyncio.run(asyncio.wait_for(asked(), 30)) < STALL
    assert ticks > 20
    assert notes(postgresql) == 1


def test_a_caller_who_is_cancelled_meanwhile_is_and_the_write_is_made(
    engine: Engine, postgresql: Database
) -> None:
    async def asked() -> None:
        own = new_async_engine(Settings(DATABASE_URL=postgresql.url))
        async with own.connect() as connection, AsyncSession(connection) as session:
            event.listen(own.sync_engine, "do_connect", lambda *_: await_only(asyncio.sleep(PATIENCE)))
            asking = asyncio.create_task(session.run_sync(write_aside, User, note))
            await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            while not notes(postgresql):
                await asyncio.sleep(0.02)
        await own.dispose()

    asyncio.run(asyncio.wait_for(asked(), 30))


def test_a_write_that_fails_is_no_error_and_the_next_one_is_made(
    engine: Engine, postgresql: Database
) -> None:
    def fail(connection: Connection) -> None:
        note(connection)
        connection.execute(text("SELECT 1 FROM nowhere"))

    with Session(engine) as session:
        write_aside(session, User, fail)
        write_aside(session, User, note)
    assert notes(postgresql) == 1


def test_what_would_fail_again_is_not_tried_for_a_while(engine: Engine, postgresql: Database) -> None:
    tried: list[Any] = []

    def fail(connection: Connection) -> None:
        tried.append(connection.execute(text("SET TRANSACTION READ ONLY")))
        note(connection)

    with Session(engine) as session:
        for _ in range(3):
            write_aside(session, User, fail)
    assert len(tried) == 1


def test_a_statement_that_takes_long_is_ended_by_the_server(
    engine: Engine, postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "_STATEMENT_TIMEOUT", "50ms")

    def sleep(connection: Connection) -> None:
        note(connection)
        connection.execute(text("SELECT pg_sleep(60)"))

    started = time.monotonic()
    with Session(engine) as session:
        write_aside(session, User, sleep)
        while postgresql.scalar("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"):
            assert time.monotonic() - started < 10
            time.sleep(0.02)
    assert notes(postgresql) == 0


def test_a_connection_of_an_engine_that_is_disposed_of_meanwhile_is_closed(engine: Engine) -> None:
    used: list[Any] = []

    def write(connection: Connection) -> None:
        used.append(connection.connection.driver_connection)
        engine.dispose()

    with Session(engine) as session:
        write_aside(session, User, write)
    assert [one.closed for one in used] == [True]
