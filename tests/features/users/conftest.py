"""Fixtures: the tables of the accounts in each database, and sessions on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.support.databases import Database, Servers
from tests.support.tables import with_tables


@pytest.fixture
def accounts(database: Database) -> Database:
    """A database with the tables, of each kind in turn."""
    return with_tables(database)


@pytest.fixture
def sqlite_accounts(sqlite: Database) -> Database:
    """An SQLite database with the tables."""
    return with_tables(sqlite)


@pytest.fixture
def postgresql_accounts(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """A PostgreSQL database with the tables."""
    with servers.database("postgresql", tmp_path) as database:
        yield with_tables(database)


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
