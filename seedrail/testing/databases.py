"""Databases of a test run, reached as the project reaches its own: by Alembic's commands, through env.py."""

import logging
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, make_url

from seedrail.commands.database.environment import in_environment, told
from seedrail.dialects import dialect_named
from seedrail.errors import SetupError
from seedrail.failures import named_failures
from seedrail.history.rail import Rail
from seedrail.integration.run import LOOKS
from seedrail.quoting import shown


@contextmanager
def fresh_database(url: str = "sqlite://") -> Iterator[str]:
    """The URL of a new database, which is gone afterwards.

    Of SQLite it is a file in a temporary folder; on a server it is one beside the database of the URL, whose
    user must be allowed to create databases. DatabaseFailure where that cannot be had.
    """
    given = make_url(url)
    dialect_named(given.get_backend_name())
    if given.get_backend_name() == "sqlite":
        with tempfile.TemporaryDirectory(prefix="seedrail-", ignore_cleanup_errors=True) as folder:
            yield _spelled(given.set(database=str(Path(folder) / "test.db")))
        return
    name = f"seedrail_test_{uuid.uuid4().hex[:12]}"
    _administer(given, f"CREATE DATABASE {name}")
    try:
        yield _spelled(given.set(database=name))
    finally:
        _administer(given, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: URL, statement: str) -> None:
    engine = sa.create_engine(synchronous(_spelled(url)), isolation_level="AUTOCOMMIT")
    try:
        with named_failures(), engine.connect() as connection:
            connection.execute(sa.text(statement))
    finally:
        engine.dispose()


def _spelled(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def synchronous(url: str) -> URL:
    """The URL with a driver that needs no event loop, and is there."""
    given = make_url(url)
    if given.get_backend_name() == "sqlite":
        return given.set(drivername="sqlite")
    if not given.get_dialect().is_async:
        try:
            given.get_dialect().import_dbapi()
        except ImportError:
            pass
        else:
            return given
    return given.set(drivername="postgresql+psycopg")


@dataclass
class SeedDatabase:
    """A database that Alembic's commands are run on, in this process.

    `url` is what env.py is to be told: `sqlalchemy.url` of the configuration says it, and the environment
    `variable`, if it has a name; else an engine is lent in `attributes["connection"]`. `options` are those of
    `-x`. A run that env.py would lead to any other database is refused before it does anything.
    """

    config: Config
    url: str
    variable: str = ""
    options: Sequence[str] = ()
    version_table: str = field(default="alembic_version", init=False)
    _met: bool = field(default=False, init=False)

    @property
    def rail(self) -> Rail:
        """The project's seed revisions."""
        return Rail(ScriptDirectory.from_config(self.config))

    def upgrade(self, revision: str = "heads") -> None:
        """`alembic upgrade`."""
        with self._reached():
            command.upgrade(self.config, revision)

    def downgrade(self, revision: str) -> None:
        """`alembic downgrade`."""
        with self._reached():
            command.downgrade(self.config, revision)

    def check(self) -> None:
        """`alembic check`: CommandError where models or documents have changes that no revision ships."""
        with self._reached():
            command.check(self.config)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in a transaction, which is committed."""
        engine = sa.create_engine(synchronous(self.url))
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        # A % would be looked up by the parser of the file.
        self.config.set_main_option("sqlalchemy.url", self.url.replace("%", "%%"))
        self.config.stdout = StringIO()
        before = self.config.cmd_opts
        if self.options:
            told(self.config, self.options, quiet=True)
        with _in_environment(self.variable, self.url), self._lent(), _logging_kept():
            try:
                if not self._met:
                    self._meet()
                yield
            finally:
                self.config.cmd_opts = before

    @contextmanager
    def _lent(self) -> Iterator[None]:
        engine = sa.create_engine(synchronous(self.url))
        if not self.variable:
            self.config.attributes["connection"] = engine
        try:
            yield
        finally:
            self.config.attributes.pop("connection", None)
            engine.dispose()

    def _meet(self) -> None:
        """Look where env.py leads; SetupError where that is somewhere else."""
        found: list[Any] = []

        def look(_: Sequence[str], context: Any) -> list[Any]:
            if context.connection is not None:
                found.extend([_identity(context.connection), context.connection.engine.url])
                self.version_table = context.version_table
            return []

        setattr(look, LOOKS, True)
        in_environment(self.config, look)
        with self.connect() as connection:
            mine = _identity(connection)
        if not found or found[0] != mine:
            theirs = f"the {found[1].get_backend_name()} database {found[1].database}" if found else "none"
            raise SetupError(
                f"env.py leads to another database than that of the tests: {shown(theirs)};"
                " nothing was written\n"
                '  let it take attributes["connection"] or sqlalchemy.url of the configuration, or an'
                " environment variable: seedrail_url_variable = NAME for pytest"
            )
        self._met = True


def _identity(connection: Connection) -> tuple[Any, ...]:
    """What two connections to one database have in common, and to no other."""
    if connection.dialect.name == "sqlite":
        files = connection.exec_driver_sql("PRAGMA database_list").all()
        main = next(row[2] for row in files if row[1] == "main")
        return ("sqlite", str(Path(main).resolve()) if main else None)
    asked = "SELECT oid, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database()"
    if connection.dialect.name != "postgresql":
        return (connection.dialect.name,)
    return ("postgresql", *connection.execute(sa.text(asked)).one())


@contextmanager
def _in_environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    if name:
        os.environ[name] = value
    try:
        yield
    finally:
        if name and before is None:
            del os.environ[name]
        elif name and before is not None:
            os.environ[name] = before


@contextmanager
def _logging_kept() -> Iterator[None]:
    """What env.py makes of logging ends with its run: pytest hears what tests log, and its streams change."""
    loggers = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    kept = [
        (one, one.handlers[:], one.level, one.propagate, one.disabled) for one in (logging.root, *loggers)
    ]
    try:
        yield
    finally:
        for logger, handlers, level, propagate, disabled in kept:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled
