"""A database that cannot do what a run asks: one sentence, an exit code, and nothing is written."""

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.core.config import get_settings
from app.core.database import get_engine
from app.core.errors import AppError
from app.core.exits import exit_code_of
from app.core.migration import applied_revisions, rollback_seed, seed
from seedrail import ConflictError, Deadlock, LockTimeout, SeedError
from tests.support.databases import Database
from tests.support.project import Project
from tests.support.waits import lock_held


@contextmanager
def setting(monkeypatch: pytest.MonkeyPatch, url: str, **environment: str) -> Iterator[None]:
    """The settings of a process that is started with them."""
    with monkeypatch.context() as patch:
        for name, value in {"DATABASE_URL": url, **environment}.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()
    get_engine.cache_clear()


Refused = Callable[..., str]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Run a command that must fail with that exit code; returns its sentences."""

    def refused(code: int, url: str, run: Callable[[], Any] = seed, **environment: str) -> str:
        with setting(monkeypatch, url, **environment), pytest.raises((AppError, SeedError)) as caught:
            run()
        message = str(caught.value)
        assert exit_code_of(caught.value) == code, message
        assert len(message.splitlines()) == 2, message
        return message

    return refused


@pytest.fixture
def seeded(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with the seeds."""

    def build() -> None:
        with setting(monkeypatch, database.url):
            seed(quiet=True)

    database.become("head", build)
    return database


@pytest.fixture
def guest(postgresql: Database) -> Iterator[str]:
    """The URL of a role that has no right but to connect."""
    name = f"guest_{os.getpid()}"
    postgresql.execute(f"CREATE ROLE {name} LOGIN")
    yield make_url(postgresql.url).set(username=name).render_as_string(hide_password=False)
    postgresql.execute(f"DROP OWNED BY {name}")
    postgresql.execute(f"DROP ROLE {name}")


def role(url: str) -> str:
    return str(make_url(url).username)


# -- rights ----------------------------------------------------------------------------------------


def test_a_role_that_may_create_nothing_is_told_which_schema(
    refused: Refused, postgresql: Database, guest: str
) -> None:
    message = refused(6, guest)
    assert "permission denied for schema public" in message
    assert "lacks a right: let the owner grant it" in message
    assert postgresql.tables() == set()


def test_a_role_that_may_make_no_temporary_table_fills_an_empty_database_and_takes_nothing_back(
    refused: Refused, postgresql: Database, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgresql.scalar("SELECT current_database()")
    postgresql.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    postgresql.execute(f"GRANT ALL ON SCHEMA public TO {role(guest)}")
    with setting(monkeypatch, guest):
        seed(quiet=True)
    message = refused(6, guest, rollback_seed)
    assert "permission denied to create temporary tables" in message
    assert postgresql.scalar("SELECT count(*) FROM machines") == 22


@pytest.mark.parametrize("table", ["alembic_version", "seed_state", "machines"])
def test_a_table_that_may_not_be_read_is_named(
    refused: Refused, postgresql: Database, guest: str, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    with setting(monkeypatch, postgresql.url):
        seed(quiet=True)
    postgresql.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role(guest)}")
    postgresql.execute(f"GRANT ALL ON SCHEMA public TO {role(guest)}")
    postgresql.execute(f"REVOKE ALL ON {table} FROM {role(guest)}")
    assert f"permission denied for table {table}" in refused(6, guest, rollback_seed)
    assert postgresql.scalar("SELECT count(*) FROM machines") == 22


def test_a_pointing_table_that_may_not_be_read_is_named(
    refused: Refused, postgresql: Database, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with setting(monkeypatch, postgresql.url):
        seed(quiet=True)
    postgresql.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role(guest)}")
    postgresql.execute(f"GRANT ALL ON SCHEMA public TO {role(guest)}")
    postgresql.execute("CREATE SCHEMA theirs")
    postgresql.execute("CREATE TABLE theirs.bookings (m uuid REFERENCES machines)")
    assert "theirs.bookings.m may point at rows of machines" in refused(6, guest, rollback_seed)
    assert postgresql.scalar("SELECT count(*) FROM machines") == 22


def test_a_search_path_that_leads_nowhere_is_said(refused: Refused, postgresql: Database) -> None:
    separator = "&" if "?" in postgresql.url else "?"
    message = refused(6, f"{postgresql.url}{separator}options=-csearch_path%3Dnowhere")
    assert "no schema" in message


# -- what may only be read -------------------------------------------------------------------------


@pytest.mark.parametrize("run", [seed, rollback_seed])
def test_read_only_transactions_are_said(
    refused: Refused, postgresql: Database, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]
) -> None:
    if run is rollback_seed:
        with setting(monkeypatch, postgresql.url):
            seed(quiet=True)
    name = postgresql.scalar("SELECT current_database()")
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    message = refused(6, postgresql.url, run)
    assert "in a read-only transaction" in message
    assert "it is a standby, default_transaction_read_only is on" in message


@pytest.mark.parametrize("options", ["mode=ro", "immutable=1"])
def test_a_file_that_is_opened_for_reading_alone_is_said(
    refused: Refused, sqlite: Database, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    with setting(monkeypatch, sqlite.url):
        seed(quiet=True)
    message = refused(6, f"sqlite:///file:{sqlite.path}?{options}&uri=true", rollback_seed)
    assert "readonly" in message


@pytest.mark.long
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_or_a_folder_that_may_not_be_written_is_said(
    sqlite_project: Project, tmp_path: Path, closed: str
) -> None:
    sqlite_project.start_at("head")
    folder = tmp_path / "closed"
    folder.mkdir()
    file = folder / "x.db"
    shutil.copy(str(sqlite_project.database.path), file)
    (file if closed == "file" else folder).chmod(0o555)
    done = where_permissions_bind(sqlite_project, f"sqlite:///{file}")
    folder.chmod(0o755)
    assert done.returncode == 6, done.stderr
    assert done.stderr.count("ERROR: ") == 1
    assert "Traceback" not in done.stderr
    assert f"cannot use the database sqlite:///{file}: " in done.stderr


def where_permissions_bind(project: Project, url: str) -> "subprocess.CompletedProcess[str]":
    """rollback_seed by somebody whom a file's mode binds, which it does not bind root."""
    return subprocess.run(
        [sys.executable, "-m", "app.scripts.db.rollback_seed", "--quiet"],
        cwd=project.root,
        env=project.env(DATABASE_URL=url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=_be_bound if os.getuid() == 0 else None,
    )


def _be_bound() -> None:
    drop = 24  # PR_CAPBSET_DROP
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


# -- limits ----------------------------------------------------------------------------------------


def test_a_wait_that_a_time_limit_ends_is_said(refused: Refused, postgresql: Database) -> None:
    name = postgresql.scalar("SELECT current_database()")
    postgresql.execute(f"ALTER DATABASE {name} SET statement_timeout = '300ms'")
    postgresql.close()
    with lock_held(postgresql):
        message = refused(1, postgresql.url, APP_LOCK_TIMEOUT="2")
    assert "timeout" in message
    assert postgresql.tables() == set()


def trigger(postgresql: Database, body: str) -> None:
    """Let the server do that when a machine is deleted."""
    postgresql.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$")
    postgresql.execute("CREATE TRIGGER fail BEFORE DELETE ON machines FOR EACH ROW EXECUTE FUNCTION fail()")


@pytest.mark.parametrize(
    ("sqlstate", "code", "advice"),
    [
        ("40001", 1, "another transaction changed the same rows"),
        ("57014", 1, "a time limit"),
        ("53100", 6, "make room"),
        ("53200", 6, "make room"),
        ("42501", 6, "lacks a right"),
        ("25006", 6, "nothing can be written here"),
        ("22P05", 6, "ENCODING 'UTF8'"),
        ("XX001", 6, "damaged"),
        ("P0001", 1, "the tables are probably not as the revisions expect them"),
        ("42P01", 1, "the tables are probably not as the revisions expect them"),
    ],
)
@pytest.mark.long
def test_what_the_server_says_in_the_middle_of_a_run_is_one_sentence(
    refused: Refused,
    postgresql: Database,
    monkeypatch: pytest.MonkeyPatch,
    sqlstate: str,
    code: int,
    advice: str,
) -> None:
    postgresql.become("head", lambda: _seeded(postgresql, monkeypatch))
    trigger(postgresql, f"RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = E'told\\nby the server';")
    message = refused(code, postgresql.url, rollback_seed)
    assert ": told" in message
    assert advice in message
    assert "by the server" not in message
    assert postgresql.scalar("SELECT count(*) FROM simulations") == 98


def _seeded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with setting(monkeypatch, database.url):
        seed(quiet=True)


@pytest.mark.parametrize(("sqlstate", "kind"), [("40P01", Deadlock), ("55P03", LockTimeout)])
def test_a_deadlock_and_a_lock_in_the_middle_of_a_run_have_their_own_names(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch, sqlstate: str, kind: type[SeedError]
) -> None:
    postgresql.become("head", lambda: _seeded(postgresql, monkeypatch))
    trigger(postgresql, f"RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'told';")
    with setting(monkeypatch, postgresql.url, APP_LOCK_TIMEOUT="7"), pytest.raises(kind) as caught:
        rollback_seed()
    assert exit_code_of(caught.value) == 1
    if kind is LockTimeout:
        assert "gave up after 7 s" in str(caught.value)


def test_a_connection_that_was_never_had_is_not_said_to_be_lost(
    refused: Refused, postgresql: Database
) -> None:
    nowhere = make_url(postgresql.url).set(host="127.0.0.1", port=1, query={})
    missing = make_url(postgresql.url).set(database="nobody_made_it")
    for url in (nowhere, missing):
        message = refused(6, url.render_as_string(hide_password=False))
        assert "no connection was had" in message
        assert "commit" not in message


def test_a_connection_that_ends_in_the_middle_of_a_run_is_said(
    refused: Refused, postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.become("head", lambda: _seeded(postgresql, monkeypatch))
    trigger(postgresql, "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN OLD;")
    message = refused(6, postgresql.url, rollback_seed)
    assert "the connection is gone" in message
    assert "nothing was written" not in message
    assert postgresql.scalar("SELECT count(*) FROM simulations") == 98


def test_a_full_disk_is_said(refused: Refused, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.core import engines

    tame = engines.tame_sqlite

    def small(engine: sa.Engine, **options: Any) -> None:
        tame(engine, **options)
        sa.event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA max_page_count = 30"))

    monkeypatch.setattr(engines, "tame_sqlite", small)
    message = refused(6, sqlite.url)
    assert "database or disk is full" in message
    assert "make room" in message
    monkeypatch.undo()
    assert sqlite.tables() == set()


# -- where it is -----------------------------------------------------------------------------------


def test_a_server_that_knows_no_such_database_or_role_is_said(refused: Refused, postgresql: Database) -> None:
    url = make_url(postgresql.url)
    for wrong in (url.set(database="nosuch"), url.set(username="nosuch")):
        message = refused(6, wrong.render_as_string(hide_password=False))
        assert '"nosuch" does not exist' in message
        assert "whether DATABASE_URL has the right host" in message


def test_a_rollback_of_what_is_not_there_makes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with setting(monkeypatch, f"sqlite:///{tmp_path}/x.db"):
        assert rollback_seed() == ()
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_missing_and_a_directory_are_said(tmp_path: Path) -> None:
    assert f"there is no folder '{tmp_path}/missing'" in refused_line(tmp_path / "missing" / "x.db")
    assert "it is a directory" in refused_line(tmp_path)
    assert not (tmp_path / "missing").exists()


def refused_line(path: Path) -> str:
    """A failure that needs no second line."""
    patching, wrong = pytest.MonkeyPatch.context(), pytest.raises(AppError)
    with patching as patch, setting(patch, f"sqlite:///{path}"), wrong as e:
        seed()
    assert exit_code_of(e.value) == 6
    return str(e.value)


@pytest.mark.parametrize(
    "content",
    [
        b"this is no database at all\n" * 100,
        b"SQLite format 3\0\x10\0\x01\x03\0\x40\x20\x20" + b"\0" * 4076,
    ],
    ids=["a text", "a newer format"],
)
def test_a_file_that_is_no_database_is_left_alone(refused: Refused, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.db"
    file.write_bytes(content)
    assert "cannot use the database" in refused(6, f"sqlite:///{file}")
    assert file.read_bytes() == content


def test_a_damaged_file_is_said(refused: Refused, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with setting(monkeypatch, sqlite.url):
        seed(quiet=True)
    assert sqlite.path is not None
    content = bytearray(sqlite.path.read_bytes())
    # All pages but the first, which has the schema's root.
    content[4096:] = b"\xff" * (len(content) - 4096)
    sqlite.path.write_bytes(content)
    assert "malformed" in refused(6, sqlite.url, rollback_seed)


# -- encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_what_the_terminal_says_of_its_encoding_is_not_ours(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    with setting(monkeypatch, postgresql.url, PGCLIENTENCODING=encoding):
        seed(quiet=True)
    assert postgresql.scalar("SELECT count(*) FROM simulations WHERE grid_resolution LIKE '%°%'") > 0


@pytest.fixture
def in_encoding(servers: Any, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes databases of another encoding."""
    made: dict[str, Database] = {}

    def make(encoding: str) -> Database:
        name = f"seedrail_{encoding.lower()}_{os.getpid()}"
        servers.administer(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        url = servers.admin.set(database=name).render_as_string(hide_password=False)
        made[name] = Database("postgresql", url, [])
        return made[name]

    yield make
    for name, database in made.items():
        database.close()
        servers.administer(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_database_that_lacks_a_character_is_said(
    refused: Refused, in_encoding: Callable[[str], Database]
) -> None:
    database = in_encoding("LATIN1")
    message = refused(6, database.url)
    assert "create the database with ENCODING 'UTF8'" in message
    assert database.tables() == set()


@pytest.mark.long
def test_a_database_that_knows_no_encoding_takes_the_seeds_and_gives_them_back(
    in_encoding: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = in_encoding("SQL_ASCII")
    with setting(monkeypatch, database.url):
        seed(quiet=True)
        assert database.scalar("SELECT count(*) FROM simulations WHERE grid_resolution LIKE '%°%'") > 0
        odd = "convert_from('\\xff41', 'SQL_ASCII')"
        database.execute(f"UPDATE machines SET site = {odd} WHERE name = 'lumi'")
        with pytest.raises(ConflictError, match=r"site was changed from 'CSC' to '\\+xffA'"):
            rollback_seed(quiet=True)
        rollback_seed(quiet=True, seed_conflict="keep")
    assert database.scalar("SELECT encode(site::bytea, 'hex') FROM machines") == "ff41"


@pytest.mark.parametrize("odd", ["X'ff41'", "CAST(X'ff41' AS TEXT)"])
@pytest.mark.long
def test_a_text_that_does_not_decode_is_reported_and_kept(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    with setting(monkeypatch, sqlite.url):
        seed(quiet=True)
        sqlite.execute(f"UPDATE machines SET site = {odd} WHERE name = 'lumi'")
        with pytest.raises(ConflictError, match=r"site was changed from 'CSC' to '\\+xffA'"):
            rollback_seed(quiet=True)
        rollback_seed(quiet=True, seed_conflict="keep")
        assert applied_revisions() == ("0003", "seed_base")
    with sqlite3.connect(str(sqlite.path)) as connection:
        assert connection.execute("SELECT hex(site), count(*) FROM machines").fetchone() == ("FF41", 1)
    connection.close()
