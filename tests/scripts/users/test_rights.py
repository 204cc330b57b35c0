"""The rights that docs/reference/accounts.md lists and no more; and what is said where one is missing."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.features.users import service, service_async
from tests.features.users.support import EMAIL, PASSWORD
from tests.scripts.users.running import TOKEN, Commands, refused
from tests.support.databases import Database
from tests.support.project import ROOT, Project

SECRET = PASSWORD.get_secret_value()


def documented(what: str) -> list[str]:
    """The GRANT statements that docs/reference/accounts.md gives under a comment."""
    text = (ROOT / "docs" / "reference" / "accounts.md").read_text("utf-8")
    [block] = re.findall(rf"^-- {what}\n((?:GRANT .+\n)+)", text, re.M)
    return [line.rstrip(";") for line in block.splitlines()]


@pytest.fixture
def role(postgresql_project: Project) -> Iterator[str]:
    """A role that may connect, and nothing else."""
    name, database = f"clerk_{os.getpid()}", postgresql_project.database
    database.execute(f"CREATE ROLE {name} LOGIN")
    database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    yield name
    database.execute(f"DROP OWNED BY {name}")
    database.execute(f"DROP ROLE {name}")


@pytest.fixture
def clerk(postgresql_project: Project, role: str) -> Iterator[Database]:
    """The database as that role sees it."""
    database = postgresql_project.database
    url = make_url(database.url).set(username=role).render_as_string(hide_password=False)
    seen = replace(database, address=url, _engine=None, _migrating=None)
    yield seen
    seen.close()


def grant(project: Project, role: str, *needs: str) -> None:
    for statement in [one for what in ("each", *needs) for one in documented(what)]:
        project.database.execute(statement.replace("clerk", role))


def revoke(project: Project, role: str, right: str, table: str) -> None:
    project.database.execute(f"REVOKE {right} ON {table} FROM {role}")


def test_create_admin_account_needs_no_more_than_is_documented(
    postgresql_project: Project, role: str, clerk: Database
) -> None:
    grant(postgresql_project, role, "create_admin_account")
    commands = Commands(clerk)
    made = commands.admin("--email", EMAIL, APP_ADMIN_PASSWORD=SECRET)
    assert made.code == 0, made.err
    again = commands.admin("--email", EMAIL, "--reset-password", APP_ADMIN_PASSWORD=SECRET)
    assert again.code == 0, again.err
    for switch in (["--deactivate", "--force"], ["--activate"]):
        switched = commands.admin("--email", EMAIL, *switch)
        assert switched.code == 0, switched.err
    assert postgresql_project.database.scalar("SELECT count(*) FROM audit_events") == 4


@pytest.mark.long
def test_provision_service_account_and_checks_need_no_more_than_is_documented(
    postgresql_project: Project, role: str, clerk: Database
) -> None:
    grant(postgresql_project, role, "provision_service_account")
    commands = Commands(clerk)
    for arguments in ([], ["--ensure"], ["--rotate"], ["--list"], ["--check-expiry", "1"]):
        done = commands.bot(*arguments, "--format", "json")
        assert done.code == 0, done.err
    found = re.search(TOKEN, commands.bot("--rotate", "--format", "json").out)
    assert found
    [token] = postgresql_project.database.rows("SELECT id FROM api_tokens WHERE revoked_at IS NULL LIMIT 1")
    for arguments in (["--revoke", str(token.id)], ["--deactivate"], ["--activate"], ["--revoke-all"]):
        done = commands.bot(*arguments)
        assert done.code == 0, done.err


def test_a_check_needs_no_more_than_is_documented(
    postgresql_project: Project, role: str, clerk: Database
) -> None:
    made = Commands(postgresql_project.database).bot("--format", "env")
    raw = made.out.strip().partition("=")[2]
    grant(postgresql_project, role, "verify_token")

    async def check() -> bool:
        engine = new_async_engine(Settings(DATABASE_URL=clerk.url))
        async with AsyncSession(engine) as session:
            found = await service_async.verify_token(session, raw, "ingest:write")
        await engine.dispose()
        return found is not None

    with Session(clerk.engine) as session:
        assert service.verify_token(session, raw, "ingest:write") is not None
    assert asyncio.run(check())
    # That a use is noted is no condition of the check.
    revoke(postgresql_project, role, "UPDATE (last_used_at)", "api_tokens")
    with Session(clerk.engine) as session:
        assert service.verify_token(session, raw, "ingest:write") is not None


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_trail_is_kept_by_a_role_that_may_only_insert_into_it(
    postgresql_project: Project, role: str, clerk: Database, asynchronous: bool
) -> None:
    grant(postgresql_project, role, "create_admin_account")

    async def ensure() -> None:
        engine = new_async_engine(Settings(DATABASE_URL=clerk.url))
        async with AsyncSession(engine) as session:
            await service_async.ensure_admin(session, EMAIL, PASSWORD, actor="grace")
            await session.commit()
        await engine.dispose()

    if asynchronous:
        asyncio.run(ensure())
    else:
        with Session(clerk.engine) as session:
            service.ensure_admin(session, EMAIL, PASSWORD, actor="grace")
            session.commit()
    assert postgresql_project.database.scalar("SELECT count(*) FROM audit_events WHERE at IS NOT NULL") == 1


@pytest.mark.parametrize(
    ("right", "table", "said"),
    [
        ("INSERT", "audit_events", "INSERT"),
        ("SELECT", "users", "SELECT"),
        ("INSERT", "users", "INSERT, SELECT"),
        ("SELECT", "api_tokens", "SELECT"),
        ("SELECT", "alembic_version", "SELECT"),
    ],
)
def test_a_missing_right_is_one_sentence_with_its_grant(
    postgresql_project: Project, role: str, clerk: Database, right: str, table: str, said: str
) -> None:
    grant(postgresql_project, role, "provision_service_account")
    revoke(postgresql_project, role, right, table)
    before = postgresql_project.database.content(volatile=True)
    outcome = Commands(clerk).bot("--format", "json")
    refused(6, outcome, f"the role needs {said} on {table}; as the owner: GRANT {said} ON {table} TO {role}")
    assert len(outcome.err.splitlines()) == 2
    assert postgresql_project.database.content(volatile=True) == before


def test_a_schema_that_the_role_does_not_see_is_said_to_be_that(
    postgresql_project: Project, role: str, clerk: Database
) -> None:
    refused(6, Commands(clerk).bot("--list"), "the role sees no schema no schema of the search path exists")


def test_a_database_that_may_only_be_read_is_one_sentence(
    postgresql_project: Project, role: str, clerk: Database
) -> None:
    grant(postgresql_project, role, "provision_service_account")
    postgresql_project.database.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")
    refused(6, Commands(clerk).bot("--format", "json"), "nothing can be written here")
