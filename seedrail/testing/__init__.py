"""Tests of a project that has seeds: `pytest_plugins = ["seedrail.testing"]` in the first conftest.py.

A database is seeded once a session, and each test runs in a transaction that is taken back;
`assert_round_trip` tries the history. It needs pytest, which is the extra `pytest`.
"""

from seedrail.testing.databases import SeedDatabase, fresh_database
from seedrail.testing.plugin import (
    empty_database,
    pytest_addoption,
    seed_config,
    seed_connection,
    seed_database,
    seed_engine,
    seed_session,
    seed_url,
)
from seedrail.testing.round_trip import assert_round_trip
from seedrail.testing.transactions import rolled_back, rolled_back_async

__all__ = [
    "SeedDatabase",
    "assert_round_trip",
    "empty_database",
    "fresh_database",
    "pytest_addoption",
    "rolled_back",
    "rolled_back_async",
    "seed_config",
    "seed_connection",
    "seed_database",
    "seed_engine",
    "seed_session",
    "seed_url",
]
