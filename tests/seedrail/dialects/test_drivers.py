"""PostgreSQL by other drivers than psycopg: the same rows, claims and refusals."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from seedrail import ConflictError
from tests.laws.test_found import groups, node
from tests.laws.world import GROUPS, NODES, Make, World, group_id, node_id

Run = Callable[[Callable[[], None]], None]

BODY = {"ü": [1, 1.5, None, "it's"], "a": {"b": '\\n " :p %s'}}
NAMES = [f"n{number:03}" for number in range(450)]


def chain() -> dict[str, Any]:
    """More nodes than a batch takes, each of which has the one before as its parent, whatever their ids."""
    state = groups(a=1)
    state["nodes"] = {
        node_id(name, "a"): node(name, "a", NAMES[number - 1] if number else None)
        for number, name in enumerate(NAMES)
    }
    state["nodes"][node_id("n007", "a")] |= {"body": BODY}
    return state


def changed() -> dict[str, Any]:
    state = chain()
    state["groups"][group_id("a")] |= {"size": 2}
    for name in NAMES[400:]:
        del state["nodes"][node_id(name, "a")]
    return state


@contextmanager
def by(driver: str, world: World) -> Iterator[Run]:
    """Runs of the world's commands over a connection of another driver."""
    url = sa.make_url(world.database.url).set(drivername=f"postgresql+{driver.removesuffix(' async')}")
    if driver == "psycopg2":
        engine = sa.create_engine(url)
        world.database._migrating = engine
        try:
            yield lambda command: command()
        finally:
            engine.dispose()
        return

    async def go(command: Callable[[], None]) -> None:
        asynchronous = create_async_engine(url)
        try:
            async with asynchronous.connect() as connection:
                await connection.run_sync(lambda given: _over(world, given, command))
        finally:
            await asynchronous.dispose()

    yield lambda command: asyncio.run(go(command))


def _over(world: World, connection: sa.Connection, command: Callable[[], None]) -> None:
    class Lent:
        """An engine that has one connection, which is somebody's."""

        @contextmanager
        def connect(self) -> Iterator[sa.Connection]:
            yield connection

        def dispose(self) -> None:
            pass

    world.database._migrating = Lent()  # type: ignore[assignment]
    command()


DRIVERS = pytest.mark.parametrize(
    "driver",
    ["asyncpg", *(pytest.param(name, marks=pytest.mark.long) for name in ("psycopg2", "psycopg async"))],
)


@DRIVERS
def test_rows_come_and_go_as_they_do_by_copy(
    make_on_postgresql: Make, caplog: pytest.LogCaptureFixture, driver: str
) -> None:
    world = make_on_postgresql(([chain(), changed()], 99, [False, False]))
    world.upgrade("seed_0001")
    by_copy = world.content()
    world.downgrade()
    empty = world.content()
    with by(driver, world) as run, caplog.at_level(logging.INFO, "seedrail"):
        run(lambda: world.upgrade("seed_0001"))
        assert world.content() == by_copy
        run(world.upgrade)
        assert world.database.scalar("SELECT count(*) FROM nodes") == 400
        run(world.downgrade)
    assert world.content() == empty
    assert "psycopg (3, not asynchronous) loads them faster" in caplog.text


@DRIVERS
def test_what_people_edited_is_refused_kept_and_given_back(make_on_postgresql: Make, driver: str) -> None:
    world = make_on_postgresql(([chain(), changed()], 99, [False, False]))
    with by(driver, world) as run:
        run(lambda: world.upgrade("seed_0001"))
        with world.user() as connection:
            connection.execute(sa.update(GROUPS).values(size=7))
            connection.execute(sa.update(NODES).where(NODES.c.name == "n007").values(body={"k": 1}))
        before = world.content()
        with pytest.raises(ConflictError):
            run(world.upgrade)
        assert world.content() == before
        run(lambda: world.upgrade("head", "overwrite"))
        assert world.database.scalar("SELECT size FROM groups") == 2
        run(lambda: world.downgrade("seed_0001"))
        assert world.content() == before
