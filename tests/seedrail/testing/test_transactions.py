"""What is committed in a transaction that is taken back is gone, by each driver; and fresh databases."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from seedrail import DatabaseFailure, SetupError
from seedrail.testing import fresh_database, rolled_back, rolled_back_async
from seedrail.testing.databases import synchronous
from tests.support.databases import Database

COUNT = "SELECT count(*) FROM t"
ASYNCHRONOUS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


@pytest.fixture
def url(database: Database) -> str:
    database.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    return database.url


def test_sessions_commit_and_fail_within_it(url: str, database: Database) -> None:
    engine = sa.create_engine(synchronous(url))
    for _ in range(2):
        with rolled_back(engine) as connection:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                session.execute(sa.text("INSERT INTO t VALUES (1)"))
                session.commit()
                with pytest.raises(sa.exc.IntegrityError):
                    session.execute(sa.text("INSERT INTO t VALUES (1)"))
                session.rollback()
                session.execute(sa.text("INSERT INTO t VALUES (2)"))
                session.commit()
            assert connection.scalar(sa.text(COUNT)) == 2
        assert database.scalar(COUNT) == 0
    # The connection is again what its engine makes of it.
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO t VALUES (3)"))
    engine.dispose()
    assert database.scalar(COUNT) == 1


def test_asynchronous_sessions_do_as_well(url: str, database: Database) -> None:
    async def run() -> int | None:
        engine = create_async_engine(make_url(url).set(drivername=ASYNCHRONOUS[database.kind]))
        async with rolled_back_async(engine) as connection:
            async with AsyncSession(connection, join_transaction_mode="create_savepoint") as session:
                await session.execute(sa.text("INSERT INTO t VALUES (1)"))
                await session.commit()
                await session.execute(sa.text("INSERT INTO t VALUES (2)"))
                await session.commit()
            found: int | None = await connection.scalar(sa.text(COUNT))
        await engine.dispose()
        return found

    assert asyncio.run(run()) == 2
    assert database.scalar(COUNT) == 0


def test_a_fresh_database_is_empty_and_goes(database: Database) -> None:
    with fresh_database(database.url) as url:
        assert make_url(url).get_backend_name() == database.kind
        engine = sa.create_engine(synchronous(url))
        with engine.begin() as connection:
            assert not sa.inspect(connection).get_table_names()
            connection.execute(sa.text("CREATE TABLE t (n INTEGER)"))
        engine.dispose()
        if database.kind == "sqlite":
            assert Path(str(make_url(url).database)).exists()
    if database.kind == "sqlite":
        assert not Path(str(make_url(url).database)).exists()
    else:
        names = "SELECT count(*) FROM pg_database WHERE datname = :name"
        assert database.scalar(names, name=make_url(url).database) == 0


def test_a_server_that_does_not_answer_is_one_sentence() -> None:
    nowhere = "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing"
    with pytest.raises(DatabaseFailure) as raised, fresh_database(nowhere):
        pass
    assert "secret" not in str(raised.value)


def test_a_database_that_seeds_do_not_speak_is_refused() -> None:
    with (
        pytest.raises(SetupError, match="seeds support sqlite and postgresql"),
        fresh_database("mysql://x/y"),
    ):
        pass
