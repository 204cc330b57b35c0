"""While a password is verified no connection is held, and what counts is what is there afterwards."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.steps import threads
from app.features.users import User, UserRole, admins, logins, service, service_async
from tests.features.users.support import ACTOR, EMAIL, add_person, audited
from tests.support.databases import Database

TYPED, ANOTHER = SecretStr("umbrella Kestrel 41 rowing"), SecretStr("granite Falcon 77 weaving")
PATIENCE = 30


def plain(password: SecretStr) -> str:
    """What stands for a password's hash, and costs nothing."""
    return f"hash of {password.get_secret_value()}"


WEAK = f"weak {plain(TYPED)}"


class Hashing:
    """Stands in for the hashing; `meanwhile` happens while a password is verified, each time the next one."""

    def __init__(self) -> None:
        self.meanwhile: list[Callable[[], object]] = []
        self.seen: list[str | None] = []

    def verify(self, password: SecretStr, stored: str | None) -> bool:
        self.seen.append(stored)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return stored is not None and stored.removeprefix("weak ") == plain(password)


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Hashing:
    instead = Hashing()
    monkeypatch.setattr(logins, "verify_password", instead.verify)
    monkeypatch.setattr(logins, "is_weaker", lambda stored: stored.startswith("weak"))
    monkeypatch.setattr(logins, "hash_password", plain)
    monkeypatch.setattr(admins, "hash_password", plain)
    return instead


@pytest.fixture
def engine(accounts: Database, hashing: Hashing) -> Engine:
    """Each kind of database in turn, with somebody in it."""
    with Session(accounts.engine) as session:
        add_person(session, password_hash=plain(TYPED))
    return accounts.engine


def change(engine: Engine, **values: Any) -> None:
    """Somebody else changes the person's row."""
    with Session(engine) as other:
        person = other.scalars(select(User)).one()
        for name, value in values.items():
            setattr(person, name, value)
        other.commit()


def delete(engine: Engine) -> None:
    with Session(engine) as other:
        other.delete(other.scalars(select(User)).one())
        other.commit()


def hash_in(engine: Engine) -> str | None:
    with Session(engine) as other:
        return other.scalars(select(User.password_hash)).one()


def login(engine: Engine, password: SecretStr = TYPED) -> bool:
    with Session(engine) as session:
        person = service.authenticate(session, EMAIL, password)
        session.commit()
        return person is not None


# -- what is there afterwards ----------------------------------------------------------------------


def test_an_account_that_was_deactivated_meanwhile_is_refused(engine: Engine, hashing: Hashing) -> None:
    hashing.meanwhile = [lambda: change(engine, is_active=False)]
    assert not login(engine)


def test_one_that_was_deleted_meanwhile_is_refused(engine: Engine, hashing: Hashing) -> None:
    hashing.meanwhile = [lambda: delete(engine)]
    assert not login(engine)


def test_a_password_that_was_changed_meanwhile_admits_no_more(engine: Engine, hashing: Hashing) -> None:
    hashing.meanwhile = [lambda: change(engine, password_hash=plain(ANOTHER))]
    assert not login(engine)
    assert hashing.seen == [plain(TYPED), plain(ANOTHER)]


def test_a_hash_that_another_login_replaced_meanwhile_is_of_the_same_password(
    engine: Engine, hashing: Hashing
) -> None:
    change(engine, password_hash=WEAK)
    hashing.meanwhile = [lambda: login(engine)]
    assert login(engine)
    assert hash_in(engine) == plain(TYPED)
    with Session(engine) as session:
        assert audited(session) == ["password.rehashed"]


def test_a_hash_that_is_another_one_each_time_is_refused_in_the_end(
    postgresql_accounts: Database, hashing: Hashing
) -> None:
    engine = postgresql_accounts.engine
    with Session(engine) as session:
        add_person(session, password_hash=plain(TYPED))
    hashing.meanwhile = [
        partial(change, engine, password_hash=hash) for hash in (WEAK, plain(TYPED), WEAK, plain(TYPED), WEAK)
    ]
    assert not login(engine)
    assert len(hashing.seen) < 5


def test_what_the_session_remembers_does_not_count(engine: Engine, hashing: Hashing) -> None:
    with Session(engine, expire_on_commit=False) as session:
        person = session.scalars(select(User)).one()
        session.commit()
        hashing.meanwhile = [lambda: change(engine, role=UserRole.ADMIN)]
        assert service.authenticate(session, EMAIL, TYPED) is person
        assert person.role is UserRole.ADMIN


# -- a hash that is replaced -----------------------------------------------------------------------


def test_a_newer_password_is_never_overwritten(postgresql_accounts: Database, hashing: Hashing) -> None:
    engine = postgresql_accounts.engine
    with Session(engine) as session:
        add_person(session, password_hash=WEAK)

    # Behind the last look, and before the row is locked.
    @event.listens_for(engine, "savepoint", once=True)
    def reset(*_: object) -> None:
        change(engine, password_hash=plain(ANOTHER))

    assert login(engine)
    assert hash_in(engine) == plain(ANOTHER)
    with Session(engine) as session:
        assert audited(session) == []


def test_a_login_waits_for_no_row(postgresql_accounts: Database, hashing: Hashing) -> None:
    engine = postgresql_accounts.engine
    with Session(engine) as session:
        add_person(session, password_hash=WEAK)
    with Session(engine) as other:
        other.execute(select(User).with_for_update())
        assert login(engine)
    assert hash_in(engine) == WEAK


def test_a_login_works_where_nothing_can_be_written(engine: Engine, hashing: Hashing) -> None:
    change(engine, password_hash=WEAK)
    forbid, allow = {
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
        "postgresql": ("SET TRANSACTION READ ONLY", "SELECT 1"),
    }[engine.dialect.name]
    with Session(engine) as session:
        session.execute(text(forbid))
        person = service.authenticate(session, EMAIL, TYPED)
        assert person is not None
        # The transaction goes on.
        assert session.scalars(select(User.password_hash)).one() == WEAK
        assert person.email == EMAIL
        session.commit()
        session.execute(text(allow))
    assert hash_in(engine) == WEAK


def test_what_the_transaction_has_not_committed_counts(engine: Engine, hashing: Hashing) -> None:
    with Session(engine) as session:
        person = session.scalars(select(User)).one()
        session.commit()
        person.password_hash = plain(ANOTHER)
        assert service.authenticate(session, EMAIL, TYPED) is None
        assert service.authenticate(session, EMAIL, ANOTHER) is person
        session.rollback()
    with engine.connect() as connection, Session(connection) as session:
        assert service.authenticate(session, EMAIL, TYPED) is not None


# -- connections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
def test_no_connection_is_held_while_a_password_is_verified(
    engine: Engine, hashing: Hashing, begun: bool
) -> None:
    held: list[int] = []
    hashing.meanwhile = [lambda: held.append(engine.pool.checkedout())] * 2
    for password in (ANOTHER, TYPED):
        with Session(engine) as session:
            if begun:
                session.begin()
            service.authenticate(session, EMAIL, password)
    assert held == [0, 0]


@contextmanager
def opened(database: Database) -> Iterator[tuple[asyncio.Runner, AsyncEngine]]:
    with asyncio.Runner() as runner:
        engine = new_async_engine(Settings(DATABASE_URL=database.url))
        try:
            yield runner, engine
        finally:
            runner.run(engine.dispose())


async def until(reached: Callable[[], bool]) -> None:
    """Let the event loop go on until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not reached():
            await asyncio.sleep(0.001)


async def login_async(engine: AsyncEngine, password: SecretStr) -> bool:
    async with AsyncSession(engine) as session, session.begin():
        return await service_async.authenticate(session, EMAIL, password) is not None


def test_of_sixty_logins_none_holds_a_connection_while_it_waits_and_others_are_served(
    engine: Engine, accounts: Database, hashing: Hashing
) -> None:
    release, given_back = threading.Event(), []
    hashing.meanwhile = [lambda: release.wait(PATIENCE)] * 60

    async def main(pool: AsyncEngine) -> list[bool]:
        event.listen(pool.sync_engine, "checkin", lambda *_: given_back.append(1))
        tasks = [asyncio.create_task(login_async(pool, ANOTHER)) for _ in range(60)]
        await until(lambda: len(given_back) == 60 and len(hashing.seen) == threads())
        # It is given back a moment after it says so.
        await until(lambda: pool.sync_engine.pool.checkedout() == 0)
        async with AsyncSession(pool) as session:
            assert (await session.scalars(select(User.email))).one() == EMAIL
        release.set()
        return await asyncio.gather(*tasks)

    with opened(accounts) as (runner, pool):
        assert runner.run(main(pool)) == [False] * 60
    assert len(hashing.seen) == 60
    # A refusal has no second look.
    assert len(given_back) == 61


def test_a_login_that_is_cancelled_holds_nothing_and_is_not_verified(
    engine: Engine, accounts: Database, hashing: Hashing
) -> None:
    release = threading.Event()
    hashing.meanwhile = [lambda: release.wait(PATIENCE)] * threads()

    async def main(pool: AsyncEngine) -> bool:
        given_back: list[int] = []
        event.listen(pool.sync_engine, "checkin", lambda *_: given_back.append(1))
        tasks = [asyncio.create_task(login_async(pool, TYPED)) for _ in range(threads() + 3)]
        await until(lambda: len(given_back) == len(tasks) and len(hashing.seen) == threads())
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        await until(lambda: pool.sync_engine.pool.checkedout() == 0)
        release.set()
        return await login_async(pool, TYPED)

    with opened(accounts) as (runner, pool):
        assert runner.run(main(pool))
    assert len(hashing.seen) == threads() + 1


@pytest.mark.parametrize("where", ["verify_password", "hash_password", "checked_password"])
def test_the_event_loop_goes_on_while_passwords_are_judged_verified_and_hashed(
    engine: Engine, accounts: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    change(engine, password_hash=WEAK)
    begun, release = threading.Event(), threading.Event()
    module = admins if where == "checked_password" else logins
    instead = getattr(module, where)

    def held_up(*args: Any, **options: Any) -> Any:
        begun.set()
        # Only the event loop lets it go: on the loop, it would wait in vain.
        assert release.wait(PATIENCE)
        return instead(*args, **options)

    monkeypatch.setattr(module, where, held_up)

    async def used(pool: AsyncEngine) -> None:
        async with AsyncSession(pool) as session, session.begin():
            if module is admins:
                await service_async.ensure_admin(
                    session, EMAIL, ANOTHER, actor=ACTOR, promote=True, reset_password=True
                )
            else:
                assert await service_async.authenticate(session, EMAIL, TYPED) is not None

    async def main(pool: AsyncEngine) -> None:
        task = asyncio.create_task(used(pool))
        await until(begun.is_set)
        assert pool.sync_engine.pool.checkedout() == 0
        release.set()
        await task

    with opened(accounts) as (runner, pool):
        runner.run(main(pool))
    assert hash_in(engine) == plain(ANOTHER if module is admins else TYPED)
