"""The services do the same with a synchronous and with an asynchronous session, in its transaction."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.errors import LockTimedOut
from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import service, service_async
from app.features.users.errors import AccountConflict, AccountNotFound, PolicyError
from app.features.users.service import AdminOutcome, TokenStatus
from tests.features.users.support import ACTOR, DAY, EMAIL, HOUR, NOW, PASSWORD
from tests.support.databases import Database

NAME, SCOPE = "ingest-bot", "ingest:write"

Call = Callable[..., Any]


def synchronous(database: Database) -> Call:
    def call(name: str, *args: Any, commit: bool = True, **options: Any) -> Any:
        with Session(database.engine, expire_on_commit=False) as session:
            result = getattr(service, name)(session, *args, **options)
            if commit:
                session.commit()
            return result

    return call


def asynchronous(database: Database) -> Call:
    async def called(name: str, *args: Any, commit: bool = True, **options: Any) -> Any:
        engine = new_async_engine(Settings(DATABASE_URL=database.url))
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session:
                result = await getattr(service_async, name)(session, *args, **options)
                if commit:
                    await session.commit()
                return result
        finally:
            await engine.dispose()

    return lambda *args, **options: asyncio.run(called(*args, **options))


@pytest.fixture(params=[synchronous, asynchronous])
def call(request: pytest.FixtureRequest, accounts: Database) -> Iterator[Call]:
    """One service function by its name, in a session and a transaction of its own."""
    return request.param(accounts)


def test_both_have_the_same_functions() -> None:
    exported = {name: getattr(service, name) for name in service.__all__ if name.islower()}
    functions = {name for name, what in exported.items() if "session" in inspect.signature(what).parameters}
    assert set(service_async.__all__) == functions
    assert "authenticate" in functions


@pytest.mark.long_on("postgresql")
def test_an_admin_is_made_once_and_logs_in(call: Call) -> None:
    assert call("needs_password", EMAIL)
    user, outcome = call("ensure_admin", EMAIL, PASSWORD, actor=ACTOR)
    assert outcome is AdminOutcome.CREATED
    assert call("ensure_admin", EMAIL, actor=ACTOR)[1] is AdminOutcome.UNCHANGED
    assert call("authenticate", EMAIL, PASSWORD).id == user.id
    assert call("authenticate", EMAIL, SecretStr("granite Falcon 77 weaving")) is None
    assert call("authenticate", "nobody@example.org", PASSWORD) is None


@pytest.mark.long_on("postgresql")
def test_a_token_is_issued_rotated_listed_and_revoked(call: Call) -> None:
    first = call("provision", NAME, actor=ACTOR, now=NOW)
    second = call("rotate_token", NAME, actor=ACTOR, now=NOW + HOUR)
    secrets = [issued.secret.get_secret_value() for issued in (first, second)]
    assert [call("verify_token", raw, SCOPE, now=NOW + HOUR).service_name for raw in secrets] == [NAME] * 2
    assert call("verify_token", secrets[0], SCOPE, now=NOW + HOUR + DAY) is None
    assert call("revoke_token", NAME, second.token.id, actor=ACTOR, now=NOW + 2 * HOUR)[1]
    listed = call("list_tokens", NAME, now=NOW + 2 * HOUR)
    assert [(token.id, status) for token, status in listed] == [
        (second.token.id, TokenStatus.REVOKED),
        (first.token.id, TokenStatus.EXPIRING),
    ]
    assert listed[1][0].last_used_at == NOW + HOUR
    assert call("has_active_token", NAME, now=NOW + 2 * HOUR)


@pytest.mark.long_on("sqlite")
def test_accounts_are_listed_checked_switched_and_their_tokens_ended(call: Call) -> None:
    call("ensure_admin", EMAIL, PASSWORD, actor=ACTOR)
    issued = [
        call("provision", NAME, actor=ACTOR, token_name=name, expires_in_days=3, now=NOW)
        for name in ("leaked", "by-id", "rest")
    ]
    assert [len(account.tokens) for account in call("list_accounts", now=NOW)] == [0, 3]
    assert len(call("expiring_tokens", now=NOW)) == 3
    assert call("deactivate_service", NAME, actor=ACTOR, now=NOW).tokens == 3
    assert call("verify_token", issued[0].secret.get_secret_value(), SCOPE, now=NOW) is None
    assert call("activate_service", NAME, actor=ACTOR, now=NOW).changed
    assert call("revoke_leaked", issued[0].secret, actor=ACTOR).revoked[0].now
    assert call("revoke_by_id", issued[1].token.id, actor=ACTOR).now
    assert [token.name for token in call("revoke_all", NAME, actor=ACTOR)] == ["rest"]
    assert call("expiring_tokens", now=NOW) == []
    assert call("deactivate_person", EMAIL, actor=ACTOR, force=True).changed
    assert call("authenticate", EMAIL, PASSWORD) is None
    assert call("activate_person", EMAIL, actor=ACTOR).changed


@pytest.mark.long_on("postgresql")
def test_the_caller_owns_the_transaction(call: Call, accounts: Database) -> None:
    call("provision", NAME, actor=ACTOR, now=NOW)
    before = accounts.content(volatile=True)
    assert call("ensure_admin", EMAIL, PASSWORD, actor=ACTOR, commit=False)[1] is AdminOutcome.CREATED
    other = call("provision", "other-bot", actor=ACTOR, now=NOW, commit=False)
    rotated = call("rotate_token", NAME, actor=ACTOR, now=NOW + HOUR, commit=False)
    assert call("revoke_token", NAME, rotated.replaced.id, actor=ACTOR, commit=False)[1]
    assert accounts.content(volatile=True) == before
    assert call("verify_token", other.secret.get_secret_value(), SCOPE, now=NOW) is None


@pytest.mark.long_on("postgresql")
def test_a_refusal_is_the_same_error(call: Call) -> None:
    call("provision", NAME, actor=ACTOR)
    with pytest.raises(AccountConflict):
        call("provision", NAME, actor=ACTOR)
    with pytest.raises(AccountNotFound):
        call("list_tokens", "other-bot")
    with pytest.raises(PolicyError):
        call("ensure_admin", EMAIL, SecretStr("passwordpassword"), actor=ACTOR)


@pytest.mark.long_on("sqlite")
def test_both_wait_for_the_same_lock(call: Call, accounts: Database) -> None:
    with Session(accounts.engine) as other:
        take_lock(other, METADATA.tables["users"], 5)
        with pytest.raises(LockTimedOut):
            call("provision", NAME, actor=ACTOR, lock_timeout=0.2)
