"""Tests that wait for something, and let others wait: for a condition, and for locks."""

import gc
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from seedrail.dialects.postgresql import ADVISORY_LOCK
from tests.support.databases import Database


def until(true: Callable[[], Any], seconds: float = 30, otherwise: str = "waited in vain") -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def waiting(database: Database) -> int:
    """How many sessions of a PostgreSQL database, and not of its neighbours, wait for a lock."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    return int(database.scalar(f"{sessions} AND wait_event_type = 'Lock'"))


@contextmanager
def ctrl_c(after: float = 0.3) -> Iterator[None]:
    """Somebody presses Ctrl-C while the block waits.

    No garbage is collected meanwhile: Python has nowhere to raise what interrupts the callback of a weak
    reference, and the interrupt would be lost.
    """
    gc.collect()
    gc.disable()
    threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def lock_held(database: Database) -> Iterator[None]:
    """The lock that a run takes, held by somebody else."""
    if database.path is not None:
        connection = sqlite3.connect(database.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.close()
        return
    with database.engine.begin() as held:
        # Whatever the database's own limit is: it is for those who wait.
        held.execute(sa.text("SET LOCAL statement_timeout = 0"))
        held.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        yield
