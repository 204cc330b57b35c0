"""Fixtures of the laws: makers of fresh worlds."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.laws.world import Make, World
from tests.support.databases import DATABASES, Database, Servers

MEMORY = Path("/dev/shm")


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    """Makes a fresh world of a history; the database is emptied first."""
    with worlds(database, tmp_path) as fresh:
        yield fresh


@contextmanager
def worlds(database: Database, tmp_path: Path) -> Iterator[Make]:
    """A maker of fresh worlds on one database."""
    # Thousands of commits and files: what a disk does at each is not what is tested here.
    directory = MEMORY / uuid.uuid4().hex if MEMORY.is_dir() else tmp_path
    directory.mkdir(exist_ok=True)
    if database.path is not None:
        database.move_to(directory / "test.db")

    def fresh(history: Any) -> World:
        database.empty()
        world = World(database, directory / "history", *history)
        world.write_history()
        return world

    yield fresh
    database.empty()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def makers(servers: Servers, tmp_path: Path) -> Iterator[list[Make]]:
    """Makers of fresh worlds, one for each kind of database."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(worlds(stack.enter_context(servers.database(kind, tmp_path)), tmp_path))
            for kind in DATABASES
        ]
