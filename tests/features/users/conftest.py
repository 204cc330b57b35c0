"""Fixtures: the tables of the accounts in each database, and sessions on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.features.catalog import METADATA
from tests.support.databases import DATABASES, Database, Servers


@contextmanager
def with_tables(servers: Servers, kind: str, directory: Path) -> Iterator[Database]:
    """A fresh database with the tables; making them takes longer than a copy."""
    with servers.database(kind, directory, "tables") as database:
        if not servers.keeps(kind, "tables"):
            METADATA.create_all(database.engine)
            database.keep("tables")
        yield database


@pytest.fixture(params=DATABASES)
def accounts(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """A database with the tables, of each kind in turn."""
    with with_tables(servers, request.param, tmp_path) as database:
        yield database


@pytest.fixture
def sqlite_accounts(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """An SQLite database with the tables."""
    with with_tables(servers, "sqlite", tmp_path) as database:
        yield database


@pytest.fixture
def postgresql_accounts(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """A PostgreSQL database with the tables."""
    with with_tables(servers, "postgresql", tmp_path) as database:
        yield database


@pytest.fixture
def each_session(accounts: Database) -> Iterator[Session]:
    """A session on each kind of database in turn."""
    with Session(accounts.engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture
def session(sqlite_accounts: Database) -> Iterator[Session]:
    """A session on SQLite, for what does not depend on the kind."""
    with Session(sqlite_accounts.engine, expire_on_commit=False) as session:
        yield session
