"""Fixtures of the engine's tests: worlds as the laws have them, on each database or on PostgreSQL alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.conftest import worlds
from tests.laws.world import Make
from tests.support.databases import Database


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    """Makes a fresh world of a history, on each kind of database in turn."""
    with worlds(database, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def make_on_sqlite(sqlite: Database, tmp_path: Path) -> Iterator[Make]:
    """The same, for what only SQLite does."""
    with worlds(sqlite, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def make_on_postgresql(postgresql: Database, tmp_path: Path) -> Iterator[Make]:
    """The same, for what only PostgreSQL does."""
    with worlds(postgresql, tmp_path) as fresh:
        yield fresh
