"""Fixtures: the account scripts on migrated databases, and no setting from outside."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.core.config import Settings
from tests.scripts.users.running import Commands
from tests.support.databases import Database, Servers
from tests.support.project import Project, migrated


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting from the environment that the tests run in; returns the `.env` that would be read."""
    for name in list(os.environ):
        if name.startswith("APP_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    return tmp_path / ".env"


@pytest.fixture
def commands(database: Database, tmp_path: Path) -> Commands:
    """The scripts on each kind of database in turn."""
    return Commands(migrated(database, tmp_path))


@pytest.fixture
def sqlite_commands(sqlite: Database, tmp_path: Path) -> Commands:
    """The scripts on SQLite, for what does not depend on the kind."""
    return Commands(migrated(sqlite, tmp_path))


@pytest.fixture
def postgresql_project(servers: Servers, tmp_path: Path) -> Iterator[Project]:
    """A copy of the project on a migrated PostgreSQL database."""
    with servers.database("postgresql", tmp_path) as database:
        yield Project.copy_to(tmp_path / "project", migrated(database, tmp_path))


@pytest.fixture
def session(sqlite_commands: Commands) -> Iterator[Session]:
    """A session on the database of `sqlite_commands`."""
    with Session(sqlite_commands.database.engine, expire_on_commit=False) as session:
        yield session
