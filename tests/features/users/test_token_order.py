"""Which token is the newest, whatever the clocks say: under a lock that was waited for, and by the chain."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.clock import utcnow
from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import ApiToken, AuditEvent, service_async
from app.features.users.ordering import newest_first
from app.features.users.service import (
    Issued,
    TokenStatus,
    has_active_token,
    list_tokens,
    provision,
    revoke_token,
    rotate_token,
)
from tests.features.users.support import ACTOR, DAY, HOUR, NOW, TICK
from tests.support.databases import Database
from tests.support.waits import until, waiting

NAME = "ingest-bot"


def issue(session: Session, **options: object) -> Issued:
    issued = provision(session, NAME, **{"actor": ACTOR, **options})
    session.commit()
    return issued


def rotate(session: Session, **options: object) -> Issued:
    issued = rotate_token(session, NAME, **{"actor": ACTOR, **options})
    session.commit()
    return issued


def in_the_chain(session: Session) -> list[ApiToken]:
    """Every token, each after the one that it replaced."""
    tokens = list(session.scalars(select(ApiToken).execution_options(populate_existing=True)))
    follower = {token.replaces_id: token for token in tokens}
    chain: list[ApiToken] = []
    before: UUID | None = None
    while before in follower:
        chain.append(follower[before])
        before = chain[-1].id
    assert len(chain) == len(tokens)
    return chain


def let_wait(database: Database, work: Callable[[Session], object]) -> threading.Thread:
    """A transaction of its own that has come to the lock which somebody holds."""

    def run() -> None:
        with Session(database.engine) as session:
            work(session)
            session.commit()

    before = waiting(database) if database.kind == "postgresql" else 0
    thread = threading.Thread(target=run)
    thread.start()
    if database.kind == "postgresql":
        until(lambda: waiting(database) > before)
    else:
        time.sleep(0.1)
    return thread


def test_of_rotations_that_waited_for_each_other_the_newest_tokens_live(
    accounts: Database, each_session: Session
) -> None:
    issue(each_session)
    take_lock(each_session, METADATA.tables["users"], 5)
    waiters = [let_wait(accounts, lambda session: rotate_token(session, NAME, actor=ACTOR)) for _ in range(3)]
    rotate(each_session)
    for other in waiters:
        other.join()
    chain = in_the_chain(each_session)
    created = [token.created_at for token in chain]
    assert created == sorted(set(created))
    assert [token.is_active(utcnow()) for token in chain] == [False] * 3 + [True] * 2
    assert [token for token, _ in list_tokens(each_session, NAME)] == chain[::-1]
    revoked = [token.revoked_at for token in chain if token.revoked_at]
    assert revoked == sorted(revoked)
    assert revoked[0] >= chain[2].created_at


@pytest.mark.parametrize("level", ["repeatable read", pytest.param("serializable", marks=pytest.mark.long)])
def test_so_it_is_whatever_level_the_database_has_for_a_default(
    postgresql_accounts: Database, level: str
) -> None:
    name = make_url(postgresql_accounts.url).database
    postgresql_accounts.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    postgresql_accounts.close()
    with Session(postgresql_accounts.engine) as session:
        issue(session)
        take_lock(session, METADATA.tables["users"], 5)
        waiter = let_wait(postgresql_accounts, lambda other: rotate_token(other, NAME, actor=ACTOR))

        async def rotated() -> None:
            engine = new_async_engine(Settings(DATABASE_URL=postgresql_accounts.url))
            async with AsyncSession(engine) as other:
                await service_async.rotate_token(other, NAME, actor=ACTOR)
                await other.commit()
            await engine.dispose()

        async def at_once() -> None:
            rotations = [asyncio.create_task(rotated()) for _ in range(3)]
            while postgresql_accounts.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") < 4:
                await asyncio.sleep(0.005)
            session.commit()
            await asyncio.gather(*rotations)

        asyncio.run(at_once())
        waiter.join()
        chain = in_the_chain(session)
        assert [token.is_active(utcnow()) for token in chain] == [False] * 3 + [True] * 2


@pytest.mark.parametrize("change", ["provision", "rotate_token"])
def test_a_life_begins_when_the_lock_is_had(accounts: Database, each_session: Session, change: str) -> None:
    made = issue(each_session, token_name="default" if change == "rotate_token" else "other")
    take_lock(each_session, METADATA.tables["users"], 5)
    work = {"provision": provision, "rotate_token": rotate_token}[change]
    waiter = let_wait(accounts, lambda session: work(session, NAME, actor=ACTOR, expires_in_days=1))
    released = utcnow()
    each_session.commit()
    waiter.join()
    token = list_tokens(each_session, NAME)[0][0]
    assert token.id != made.token.id
    assert token.expires_at >= released + DAY
    assert token.created_at >= released
    told = each_session.scalars(select(AuditEvent).where(AuditEvent.token_id == token.id)).one()
    assert told.at >= released


def test_a_revocation_is_of_the_moment_that_the_lock_is_had(
    accounts: Database, each_session: Session
) -> None:
    made = issue(each_session)
    take_lock(each_session, METADATA.tables["users"], 5)
    waiter = let_wait(accounts, lambda session: revoke_token(session, NAME, made.token.id, actor=ACTOR))
    released = utcnow()
    each_session.commit()
    waiter.join()
    each_session.refresh(made.token)
    assert made.token.revoked_at is not None
    assert made.token.revoked_at >= released


@pytest.mark.parametrize("steps", [[NOW] * 4, [NOW, NOW - HOUR, NOW - 2 * HOUR, NOW - HOUR]])
def test_a_clock_that_stands_still_or_is_set_back_makes_no_token_older(
    each_session: Session, steps: list[datetime]
) -> None:
    issue(each_session, now=steps[0])
    for now in steps[1:]:
        rotate(each_session, now=now)
    chain = in_the_chain(each_session)
    assert [token.created_at for token in chain] == [NOW + number * TICK for number in range(4)]
    assert [token.expires_at for token in chain[2:]] == [steps[3] + DAY, steps[3] + 180 * DAY]
    assert [token.is_active(steps[-1]) for token in chain] == [False, False, True, True]
    assert [token for token, _ in list_tokens(each_session, NAME, now=NOW)] == chain[::-1]


def test_a_token_of_another_name_counts_among_the_accounts_times(session: Session) -> None:
    first, second = issue(session, now=NOW), issue(session, now=NOW - HOUR, token_name="nightly")
    assert second.token.created_at == first.token.created_at + TICK


def test_a_token_of_the_end_of_time_can_be_rotated(session: Session) -> None:
    issue(session)
    end = datetime.max.replace(tzinfo=UTC)
    session.execute(update(ApiToken).values(created_at=end, expires_at=end))
    session.commit()
    rotate(session)
    third = rotate(session)
    assert list_tokens(session, NAME)[0][0] is third.token
    assert third.token.expires_at < utcnow() + 181 * DAY


def test_the_chain_says_which_is_newest_where_another_clock_dated_the_tokens(each_session: Session) -> None:
    first, second, third = issue(each_session), rotate(each_session), rotate(each_session)
    each_session.execute(
        update(ApiToken).where(ApiToken.id == second.token.id).values(created_at=NOW - 900 * DAY)
    )
    each_session.execute(update(ApiToken).where(ApiToken.id == first.token.id).values(created_at=NOW))
    each_session.commit()
    fourth = rotate(each_session)
    assert fourth.replaced is not None
    assert fourth.replaced.id == third.token.id
    assert [token.id for token in fourth.revoked] == [second.token.id]
    assert fourth.token.created_at == NOW + TICK
    listed = [token.id for token, _ in list_tokens(each_session, NAME)]
    assert listed == [issued.token.id for issued in (fourth, third, second, first)]


def test_what_another_session_committed_is_seen_though_the_session_has_loaded_the_tokens(
    accounts: Database,
) -> None:
    with (
        Session(accounts.engine, expire_on_commit=False) as stale,
        Session(accounts.engine, expire_on_commit=False) as other,
    ):
        first, second = issue(stale), rotate(stale)
        revoke_token(other, NAME, second.token.id, actor=ACTOR)
        other.commit()
        assert not revoke_token(stale, NAME, second.token.id, actor=ACTOR)[1]
        third = rotate(stale)
        assert third.replaced is first.token
        assert list(third.revoked) == []
        other.execute(update(ApiToken).values(revoked_at=NOW))
        other.commit()
        assert not has_active_token(stale, NAME)
        assert {status for _, status in list_tokens(stale, NAME)} == {TokenStatus.REVOKED}


def test_what_a_session_has_not_flushed_is_not_lost(sqlite_accounts: Database) -> None:
    with Session(sqlite_accounts.engine, autoflush=False) as session:
        made = issue(session)
        made.token.display_prefix = "srl_edited"
        assert list_tokens(session, NAME)[0][0].display_prefix == "srl_edited"
        rotate(session)
        assert made.token.display_prefix == "srl_edited"


def test_a_circle_in_the_chain_has_an_order_too() -> None:
    ids = [uuid4() for _ in range(3)]
    circle = [
        ApiToken(id=one, replaces_id=before, created_at=NOW + number * TICK)
        for number, (one, before) in enumerate(zip(ids, [ids[-1], *ids], strict=False))
    ]
    itself = ApiToken(id=uuid4(), created_at=NOW - TICK)
    itself.replaces_id = itself.id
    assert newest_first([itself, *circle])[-1] is itself
    assert len(newest_first([itself, *circle])) == 4
