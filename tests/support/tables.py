"""Databases with the application's tables, of which most are copies: to make them takes longer."""

from app.features.catalog import METADATA
from tests.support.databases import Database


def with_tables(database: Database) -> Database:
    """An empty database, given the tables."""
    database.become("tables", lambda: METADATA.create_all(database.engine))
    return database
