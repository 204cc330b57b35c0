"""The synchronous database: declarative base, column types, engines and sessions."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, DateTime, Engine, MetaData, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, Connection, Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from app.core.config import Settings, get_settings
from app.core.errors import ConfigurationError, DatabaseUnavailable, LockTimedOut

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JSON_OBJECT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON column that can be compared: JSONB on PostgreSQL, canonical text on SQLite."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC on every database; naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a datetime without an offset cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The declarative base; every constraint gets a name, so that migrations can drop it."""

    metadata = MetaData(naming_convention=NAMING)


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, so that SQLite can compare stored objects as text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def engine_options(url: URL, settings: Settings) -> dict[str, Any]:
    """What `create_engine` and `create_async_engine` are told for a URL."""
    options: dict[str, Any] = {"json_serializer": canonical_json, "hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": settings.lock_timeout}
    else:
        # UTC keeps the years 1 and 9999 representable whatever zone the server is set to.
        options["connect_args"] = {"connect_timeout": 10, "options": "-c timezone=utc"}
        options["pool_pre_ping"] = True
    return options


def tame_sqlite(engine: Engine, *, begin: str = "BEGIN", foreign_keys: bool = True) -> None:
    """Make SQLite transactional: the driver's implicit transactions off, BEGIN where SQLAlchemy begins.

    Without it the driver commits before DDL, and a killed migration leaves half of itself behind.
    """

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def new_engine(settings: Settings | None = None, *, migrating: bool = False) -> Engine:
    """An engine for the configured database.

    `migrating` is for Alembic: SQLite takes its write lock at BEGIN, and leaves foreign keys unchecked
    while tables may be rebuilt (dropping the old copy would cascade into its children); a timed-out
    lock is then the only wait that a second runner has.
    """
    settings = settings or get_settings()
    url = settings.url()
    try:
        engine = create_engine(url, **engine_options(url, settings))
    except (ArgumentError, ValueError, TypeError) as error:
        raise ConfigurationError(f"DATABASE_URL has an option that its driver refuses: {error}") from None
    if engine.dialect.name == "sqlite":
        tame_sqlite(engine, begin="BEGIN IMMEDIATE" if migrating else "BEGIN", foreign_keys=not migrating)
    return engine


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection, or DatabaseUnavailable in place of the driver's traceback."""
    try:
        connection = engine.connect()
        if engine.dialect.name == "sqlite":
            # SQLite opens the file at the first read: a file that is no database fails here.
            connection.connection.cursor().execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        raise DatabaseUnavailable(engine.url, error) from None
    except DBAPIError as error:
        raise DatabaseUnavailable(engine.url, error.orig or error) from None
    with connection:
        yield connection


@lru_cache(maxsize=1)
def get_engine() -> Engine:
    """The engine of this process, made at first use."""
    return new_engine()


@contextmanager
def transaction(*, commit: bool = True) -> Iterator[Session]:
    """A session in a transaction of its own, for a script: committed at the end, unless it only tries.

    Raises DatabaseUnavailable and LockTimedOut in place of the driver's errors.
    """
    with connected(get_engine()) as connection:
        try:
            with Session(connection, expire_on_commit=False) as session:
                yield session
                if commit:
                    session.commit()
        except OperationalError as error:
            if "database is locked" in str(error.orig):
                raise LockTimedOut from None
            raise DatabaseUnavailable(get_engine().url, error.orig or error) from None


def new_session() -> Session:
    """A session on the process's engine; the caller owns its transaction."""
    return sessionmaker(get_engine(), expire_on_commit=False)()
