"""Engines and connections: the settings' database with the driver's surprises taken out."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from app.core.config import Settings, get_settings
from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.patience import PATIENCE, SLICE, patience_of, patiently, seconds_for, wait_in_slices
from app.core.shown_urls import without_values
from app.core.sqlite import make_private, require_folder
from seedrail import DatabaseFailure, failure_of, failures, named_failures, said


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, so that SQLite can compare stored objects as text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def engine_options(url: URL, settings: Settings) -> dict[str, Any]:
    """What `create_engine` and `create_async_engine` are told for a URL."""
    options: dict[str, Any] = {"json_serializer": canonical_json, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": SLICE}
        options["execution_options"] = {PATIENCE: seconds_for(url, settings.lock_timeout)}
    else:
        options["connect_args"] = _libpq_options(url)
        options["pool_pre_ping"] = True
        # Said in each BEGIN: a default of role or database would show a waiting run what was there before.
        options["isolation_level"] = "READ COMMITTED"
    return options


_OBJECTS = {"context", "cursor_factory", "row_factory"}
"""Options of psycopg's `connect` that are objects of Python, which no URL can name."""


def _libpq_options(url: URL) -> dict[str, Any]:
    """What a connection is told beside the URL; what that, a service or the environment ask for, stays.

    No `options` of our own among it: they would take the place of a service's, and a pooler refuses them.
    """
    unusable = sorted(_OBJECTS & {*url.query})
    if unusable:
        raise ConfigurationError(
            f"DATABASE_URL has the option {unusable[0]!r}, which is the driver's own and takes no text:"
            " leave it out"
        )
    told: dict[str, Any] = {
        # A prepared statement belongs to one connection of the server; behind a pooler the next
        # transaction has another one.
        "prepare_threshold": None,
        # The names and values of a seed are not those of somebody's terminal.
        "client_encoding": "utf8",
    }
    given = {"service", "connect_timeout"} & {*url.query}
    if not given and not {"PGSERVICE", "PGCONNECT_TIMEOUT"} & {*os.environ}:
        told["connect_timeout"] = 10
    return told


def tame_postgresql(engine: Engine) -> None:
    """Run each transaction in UTC, which the years 1 and 9999 need: in another zone they may be none.

    And with dates as ISO 8601 writes them: the driver reads no moment that is written in another way. For the
    transaction and not at connecting: behind a pooler the next one has another connection.
    """

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if connection.get_isolation_level() != "AUTOCOMMIT":
            # One message: each transaction pays for it.
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'; SET LOCAL datestyle = 'ISO'")


CACHE_KIB = 24_000
"""SQLite's page cache while it migrates: its default of 2 MB is for small devices."""


def tame_sqlite(engine: Engine, *, migrating: bool = False) -> None:
    """Make SQLite transactional: the driver's implicit transactions off, BEGIN where SQLAlchemy begins.

    Without it the driver commits before DDL, and a killed migration leaves half of itself behind. A new file
    is its owner's alone, and a wait ends at a signal.
    """
    wait_in_slices(engine)

    @event.listens_for(engine, "do_connect")
    def _on_do_connect(dialect: object, record: object, arguments: object, named: object) -> None:
        make_private(engine.url)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'OFF' if migrating else 'ON'}")
        if migrating:
            size = f"PRAGMA cache_size = -{CACHE_KIB}"
            patiently(lambda: cursor.execute(size), patience_of(engine))
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if migrating else "BEGIN")


def new_engine(settings: Settings | None = None, *, migrating: bool = False) -> Engine:
    """An engine for the configured database.

    `migrating` is for Alembic: SQLite takes its write lock at BEGIN, and leaves foreign keys unchecked
    while tables may be rebuilt (dropping the old copy would cascade into its children); a timed-out
    lock is then the only wait that a second runner has.
    """
    settings = settings or get_settings()
    url = settings.url()
    try:
        options = engine_options(url, settings)
        if migrating:
            # A run has one connection, which ends with it and not when its engine is collected.
            options["poolclass"] = NullPool
        engine = create_engine(url, **options)
    except (ArgumentError, ValueError, TypeError) as error:
        raise _refused_option(url, str(error)) from None
    tame(engine, migrating=migrating)
    return engine


def tame(engine: Engine, *, migrating: bool = False) -> None:
    """Take the surprises of its database out of an engine."""
    if engine.dialect.name == "sqlite":
        tame_sqlite(engine, migrating=migrating)
    else:
        tame_postgresql(engine)


@contextmanager
def connected(engine: Engine, *, lock_timeout: float | None = None) -> Iterator[Connection]:
    """A connection; the driver's errors, also of what is done with it, come in words.

    Raises DatabaseUnavailable where somebody has to do something about the database, and otherwise what
    `named_failures` does.
    """
    if engine.dialect.name == "sqlite":
        require_folder(engine.url)
    try:
        with named_failures(lock_timeout), _connection(engine) as connection:
            if engine.dialect.name == "sqlite":
                # SQLite opens the file at the first read: a file that is no database fails here.
                with closing(connection.connection.cursor()) as cursor:
                    patiently(lambda: cursor.execute("PRAGMA schema_version"), patience_of(engine))
            yield connection
    except DatabaseFailure as failure:
        if failure.exit_code != failures.UNUSABLE:
            raise
        unavailable = DatabaseUnavailable(engine.url, failure)
        # A traceback shows the driver's error as it is.
        raise unavailable from None if unavailable.quotes_the_url else failure.__cause__


def _refused_option(url: URL, reason: str) -> ConfigurationError:
    """For a value that the driver itself refuses; it is quoted only where the URL is shown with it."""
    return ConfigurationError(
        f"DATABASE_URL has an option that its driver refuses: {without_values(reason, url)}"
    )


def _connection(engine: Engine) -> Connection:
    """A connection, or DatabaseFailure.

    ConfigurationError for an option that is refused before anything is asked of a server.
    """
    try:
        return engine.connect()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) is not None:
            raise
        raise _refused_option(engine.url, said(error.orig)) from None
    except OperationalError as error:
        failure = failure_of(error)
        if failure is None or failure.kind is not failures.LOST:
            raise
        # What was never had cannot have been lost in the middle of something.
        raise DatabaseFailure(failures.UNREACHED, failure.reason) from error


@lru_cache(maxsize=1)
def get_engine() -> Engine:
    """The engine of this process, made at first use."""
    return new_engine()
