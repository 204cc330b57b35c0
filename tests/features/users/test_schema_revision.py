"""The schema revision that holds accounts to their kind: what it does to rows, up, down and as a script."""

import warnings
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError

from app.core.migration import alembic_config
from app.features.catalog import METADATA
from tests.support.databases import Database, Servers
from tests.support.project import Project

BOT, ADA, LEA = (digit * 32 for digit in "abc")
USER = "INSERT INTO users (id, kind, role, email, service_name) VALUES (:id, :kind, :role, :email, :name)"
TOKEN = (
    "INSERT INTO api_tokens (id, user_id, name, token_hash, display_prefix, scopes, created_by, expires_at,"
    " replaces_id) VALUES (:id, :user, 'default', :hash, 'srl_abcdef', '[]', 'grace', '2031-05-06 07:08:09',"
    " :replaces)"
)


def add_user(database: Database, id_: str, *, role: str = "user", email: str | None = None) -> None:
    kind, name = ("person", None) if email is not None else ("service", f"bot-{id_[0]}")
    database.execute(USER, id=id_, kind=kind, role=role, email=email, name=name)


def add_token(database: Database, id_: str, user: str, replaces: str | None = None) -> None:
    database.execute(TOKEN, id=id_, hash=id_, user=user, replaces=replaces)


def people(database: Database) -> dict[str, list[Any]]:
    content = database.content(volatile=True)
    return {name: content[name] for name in ("users", "api_tokens")}


@pytest.fixture
def before(project: Project) -> Project:
    """A database below the revision, with an admin, and a service with a token that replaced another one."""
    project.start_at("0002")
    add_user(project.database, ADA, role="admin", email="ada@example.org")
    add_user(project.database, BOT)
    add_token(project.database, "1" * 32, BOT)
    add_token(project.database, "2" * 32, BOT, "1" * 32)
    return project


@pytest.mark.long_on("sqlite")
def test_accounts_and_tokens_are_the_same_above_and_below(before: Project) -> None:
    database = before.database
    was = people(database)
    before.alembic("upgrade", "0003")
    now = people(database)
    assert now["users"] == was["users"]
    assert now["api_tokens"] == [(*row, "service") for row in was["api_tokens"]]
    # The references are there, and lead somewhere.
    assert database.execute("DELETE FROM api_tokens WHERE id = :id", id="1" * 32) == 1
    assert database.scalar("SELECT count(*) FROM api_tokens WHERE replaces_id IS NULL") == 1
    before.alembic("downgrade", "0002")
    assert people(database)["users"] == was["users"]
    assert database.execute("DELETE FROM users") == 2
    assert database.scalar("SELECT count(*) FROM api_tokens") == 0


@pytest.mark.long_on("postgresql")
def test_rows_that_it_does_not_allow_are_named_and_nothing_is_written(before: Project) -> None:
    database = before.database
    add_user(database, LEA, role="admin")
    add_user(database, "d" * 32, email="ADA@example.org")
    add_user(database, "e" * 32, email=" eve@example.org")
    add_token(database, "3" * 32, ADA)
    was = database.content(volatile=True)
    outcome = before.alembic_fails("upgrade", "head")
    assert outcome.code == 1
    for line in (
        "the schema 0003 does not allow for some accounts; nothing was written",
        "- a service that is an admin: bot-c",
        "- a person that has a token: ada@example.org",
        "- an address of several accounts, but for its case: ada@example.org",
        "- an address that is empty, or has spaces around it: ' eve@example.org'",
    ):
        assert line in outcome.err
    assert database.content(volatile=True) == was
    # What the message says to do.
    for statement in (
        "UPDATE users SET role = 'user' WHERE kind = 'service'",
        "DELETE FROM api_tokens WHERE user_id IN (SELECT id FROM users WHERE kind = 'person')",
        "DELETE FROM users WHERE email = 'ADA@example.org'",
        "UPDATE users SET email = trim(email)",
    ):
        database.execute(statement)
    before.alembic("upgrade", "0003")
    assert len(people(database)["users"]) == 4


@pytest.mark.long_on("postgresql")
def test_a_script_does_the_same(before: Project) -> None:
    database = before.database
    was = people(database)
    done = database.run_script(before.alembic("upgrade", "0002:0003", "--sql").out)
    assert done.returncode == 0, done.stderr
    assert people(database)["users"] == was["users"]
    assert people(database)["api_tokens"] == [(*row, "service") for row in was["api_tokens"]]
    done = database.run_script(before.alembic("downgrade", "0003:0002", "--sql").out)
    assert done.returncode == 0, done.stderr
    assert people(database) == was


@pytest.mark.parametrize("fault", ["token", "role", "case", "spaces"])
@pytest.mark.long
def test_a_script_stops_at_rows_that_it_does_not_allow(before: Project, fault: str) -> None:
    database = before.database
    if fault == "token":
        add_token(database, "3" * 32, ADA)
    else:
        email = {"role": None, "case": "Ada@example.org", "spaces": "lea@example.org "}[fault]
        add_user(database, LEA, role="admin", email=email)
    was = database.content(volatile=True)
    done = database.run_script(before.alembic("upgrade", "0002:0003", "--sql").out)
    assert done.returncode != 0
    assert database.content(volatile=True) == was


@pytest.mark.parametrize("engine", ["engine", "migrating"])
def test_a_connection_that_would_cascade_is_refused(sqlite_project: Project, engine: str) -> None:
    sqlite_project.start_at("0002")
    database = sqlite_project.database
    add_user(database, BOT)
    add_token(database, "1" * 32, BOT)
    config = alembic_config(quiet=True)
    with getattr(database, engine).connect() as connection:
        config.attributes["connection"] = connection
        if engine == "migrating":
            command.upgrade(config, "0003")
        else:
            with pytest.raises(CommandError, match="the connection checks foreign keys"):
                command.upgrade(config, "0003")
    assert database.scalar("SELECT count(*) FROM api_tokens") == 1


@pytest.mark.long_on("postgresql")
def test_the_revisions_make_what_the_models_say(project: Project, servers: Servers, tmp_path: Any) -> None:
    project.start_at("head")
    (tmp_path / "other").mkdir()
    with servers.database(project.database.kind, tmp_path / "other") as other:
        METADATA.create_all(other.engine)
        for table in ("users", "api_tokens", "audit_events"):
            assert shape(project.database, table) == shape(other, table)


def shape(database: Database, table: str) -> dict[str, set[str]]:
    """What Alembic does not compare: checks, and on SQLite indexes of expressions; and the rest by name."""
    inspector = sa.inspect(database.engine)
    master = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :t"
    catalog = "SELECT indexname FROM pg_indexes WHERE tablename = :t"
    indexes = database.rows(master if database.kind == "sqlite" else catalog, t=table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SAWarning)
        return {
            "columns": {str(column["name"]) for column in inspector.get_columns(table)},
            "checks": {str(check["name"]) for check in inspector.get_check_constraints(table)},
            "uniques": {str(unique["name"]) for unique in inspector.get_unique_constraints(table)},
            "links": {str(link["name"]) for link in inspector.get_foreign_keys(table)},
            "indexes": {str(row[0]) for row in indexes},
        }
