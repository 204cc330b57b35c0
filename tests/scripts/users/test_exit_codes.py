"""A database that is not there, behind or busy, and Ctrl-C: each has its exit code, nothing is written."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.core.locks import take_lock
from app.features.catalog import METADATA
from app.features.users import User
from tests.features.users.support import EMAIL, PASSWORD, add_person
from tests.scripts.users.running import PROVISION, Commands, refused
from tests.support.databases import Database
from tests.support.project import Outcome, Project, end
from tests.support.waits import until, waiting

GOOD = PASSWORD.get_secret_value()


def both(commands: Commands, **environment: str) -> list[Outcome]:
    """Each script, asked for something that it could do."""
    return [
        commands.bot("--format", "json", **environment),
        commands.admin("--email", EMAIL, **{"APP_ADMIN_PASSWORD": GOOD, **environment}),
    ]


def rows(database: Database) -> list[int]:
    tables = ("users", "api_tokens", "audit_events")
    return [database.scalar(f"SELECT count(*) FROM {table}") for table in tables]


# -- 6: the database -------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named_without_its_password(sqlite: Database) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    url = f"postgresql://ada:hunter2@127.0.0.1:{port}/catalog"
    for outcome in both(Commands(sqlite), DATABASE_URL=url):
        refused(6, outcome, f"cannot use the database postgresql+psycopg://ada:***@127.0.0.1:{port}/catalog")
        assert "hunter2" not in outcome.err


def test_an_sqlite_file_that_is_not_there_is_not_made(sqlite: Database, tmp_path: Path) -> None:
    file = tmp_path / "forgotten.db"
    for outcome in both(Commands(sqlite), DATABASE_URL=f"sqlite:///{file}"):
        refused(6, outcome, "there is no database")
        assert "alembic upgrade head" in outcome.err
    assert not file.exists()


@pytest.mark.parametrize("content", [b"", b"this is no database at all\n" * 100])
def test_an_sqlite_file_without_the_schema_is_left_alone(
    sqlite: Database, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "other.db"
    file.write_bytes(content)
    for outcome in both(Commands(sqlite), DATABASE_URL=f"sqlite:///{file}"):
        refused(6, outcome)
    assert file.read_bytes() == content


def test_a_schema_that_is_behind_is_refused(project: Project) -> None:
    project.start_at("0001")
    for outcome in both(Commands(project.database)):
        refused(6, outcome, "is at 0001, behind the schema 0003: run alembic upgrade head first")
    assert rows(project.database) == [0, 0, 0]


def test_a_schema_of_a_newer_version_is_refused(sqlite_commands: Commands) -> None:
    sqlite_commands.database.execute("UPDATE alembic_version SET version_num = '9999'")
    for outcome in both(sqlite_commands):
        refused(6, outcome, "does not know: it was migrated by a newer one")
    assert rows(sqlite_commands.database) == [0, 0, 0]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hunter2", "DATABASE_URL does not parse"),
        ("postgresql://ada:a@hunter2@host/catalog", "DATABASE_URL is not clear about where its parts end"),
        ("postgresql://ada@host/catalog?password=a&hunter2", "DATABASE_URL has no value for its option 2"),
    ],
)
def test_a_database_url_that_does_not_parse_is_wrong_usage(
    sqlite_commands: Commands, url: str, message: str
) -> None:
    for outcome in both(sqlite_commands, DATABASE_URL=url):
        refused(2, outcome, message)
        assert "hunter2" not in outcome.err


# -- 7: the lock -----------------------------------------------------------------------------------


@pytest.fixture
def held(commands: Commands) -> Iterator[Session]:
    """The lock of the accounts, held by somebody else."""
    with Session(commands.database.engine) as session:
        take_lock(session, METADATA.tables["users"], 5)
        yield session


@pytest.mark.long_on("postgresql")
@pytest.mark.parametrize("mode", [[], ["--ensure"], ["--dry-run"]])
def test_a_lock_that_is_not_had_in_time_ends_the_run(
    held: Session, commands: Commands, tmp_path: Path, mode: list[str]
) -> None:
    file = tmp_path / "token"
    started = time.monotonic()
    outcome = commands.bot(*mode, "--lock-timeout", "0.3", "--output-file", str(file))
    refused(7, outcome, "another run holds the lock; gave up after 0.3 s, nothing was changed")
    assert time.monotonic() - started > 0.3
    assert not file.exists()
    assert rows(commands.database) == [0, 0, 0]


def test_an_admin_waits_as_long_as_the_setting_says(held: Session, commands: Commands) -> None:
    outcome = commands.admin("--email", EMAIL, APP_ADMIN_PASSWORD=GOOD, APP_LOCK_TIMEOUT="0.3")
    refused(7, outcome, "gave up after 0.3 s")
    assert rows(commands.database) == [0, 0, 0]


def test_a_revocation_waits_for_the_lock_and_a_list_does_not(commands: Commands) -> None:
    assert commands.bot("--format", "json").code == 0
    with Session(commands.database.engine) as session:
        take_lock(session, METADATA.tables["users"], 5)
        listed = commands.bot("--list", "--lock-timeout", "0.3")
        assert listed.code == 0, listed.err
        token_id = listed.out.splitlines()[1].split()[0]
        refused(7, commands.bot("--revoke", token_id, "--lock-timeout", "0.3"))
    assert " active " in commands.bot("--list").out


def test_a_lock_that_is_let_go_in_time_is_waited_for(held: Session, commands: Commands) -> None:
    release = threading.Timer(0.5, held.rollback)
    release.start()
    assert commands.bot("--format", "json", "--lock-timeout", "30").code == 0
    release.join()


def test_a_row_that_somebody_else_is_changing_is_a_lock_timeout_too(postgresql_project: Project) -> None:
    commands = Commands(postgresql_project.database)
    with Session(commands.database.engine) as session:
        add_person(session, password_hash=None)
        session.execute(update(User).values(password_hash="!"))
        outcome = commands.admin("--email", EMAIL, "--promote", APP_LOCK_TIMEOUT="0.3")
        refused(7, outcome, "another run holds the lock")


@pytest.mark.parametrize("seconds", ["inf", "86401"])
def test_a_lock_timeout_that_is_none_is_wrong_usage(sqlite_commands: Commands, seconds: str) -> None:
    outcome = sqlite_commands.bot("--format", "json", "--lock-timeout", seconds)
    refused(2, outcome, "a lock timeout lasts up to 86400 seconds, not")
    refused(2, sqlite_commands.bot("--format", "json", "--lock-timeout", "nan"))


# -- 129, 130, 143: interrupted --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGHUP, "interrupted by SIGHUP, nothing was written"),
        (signal.SIGINT, "interrupted, nothing was written"),
        (signal.SIGTERM, "interrupted by SIGTERM, nothing was written"),
    ],
)
def test_a_signal_while_it_waits_for_the_lock_leaves_nothing(
    postgresql_project: Project, tmp_path: Path, number: signal.Signals, said: str
) -> None:
    database, folder = postgresql_project.database, tmp_path / "tokens"
    folder.mkdir()
    file = folder / "token"
    with Session(database.engine) as session:
        take_lock(session, METADATA.tables["users"], 5)
        run = postgresql_project.start(PROVISION, "--service-name", "bot", "--output-file", str(file))
        until(lambda: waiting(database), otherwise="it never waited")
        os.kill(run.pid, number)
        outcome = end(run)
    assert (outcome.code, outcome.err) == (128 + number, said + "\n")
    assert not list(folder.iterdir())
    assert rows(database) == [0, 0, 0]


# -- --help ----------------------------------------------------------------------------------------


def test_help_explains_every_exit_code_and_takes_no_secret(sqlite_commands: Commands) -> None:
    for outcome in (sqlite_commands.provision("--help"), sqlite_commands.admin("--help")):
        text = " ".join(outcome.out.split())
        codes = re.findall(r"(?:: |; )(\d+) \w", text[text.index("Exit codes:") :])
        assert codes == ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "129", "130", "143"]
        assert outcome.code == 0
        options = set(re.findall(r"--[a-z-]+", text))
        assert {option for option in options if re.search("password|secret|token", option)} <= {
            *("--password-stdin", "--password-file", "--reset-password", "--token-name"),
        }


# -- --wait ----------------------------------------------------------------------------------------


def test_a_wait_in_vain_ends_with_the_reason(sqlite_commands: Commands) -> None:
    nowhere = {"DATABASE_URL": "postgresql://a@127.0.0.1:1/d"}
    outcomes = [
        sqlite_commands.bot("--list", "--wait", "0.2", **nowhere),
        sqlite_commands.admin("--email", EMAIL, "--wait", "0.2", **nowhere),
        *both(sqlite_commands, **nowhere, APP_DATABASE_WAIT="0.2"),
    ]
    for outcome in outcomes:
        assert outcome.code == 6
        first, error = outcome.err.splitlines()[:2]
        assert first.startswith("waiting up to 0.2 s for the database postgresql+psycopg://a@127.0.0.1:1/d: ")
        assert error.startswith("ERROR: ")
        assert error.endswith("; waited 0.2 s for it")
        assert outcome.out == ""


def test_the_database_scripts_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from app.core.config import get_settings
    from app.scripts.db import rollback_seed, seed

    monkeypatch.setenv("DATABASE_URL", "postgresql://a@127.0.0.1:1/d")
    get_settings.cache_clear()
    try:
        for script in (seed, rollback_seed):
            result = CliRunner().invoke(script.app, ["--quiet", "--wait", "0.2"])
            assert result.exit_code == 6
            assert result.stderr.count("\n") == 2
            assert "; waited 0.2 s for it" in result.stderr
    finally:
        get_settings.cache_clear()


def test_a_command_that_only_reads_waits_no_longer_for_a_lock_than_the_setting_says(
    postgresql_project: Project,
) -> None:
    database = postgresql_project.database
    commands = Commands(database)
    for table in ("api_tokens", "alembic_version"):
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            outcome = commands.provision("--list", APP_LOCK_TIMEOUT="0.1")
        refused(7, outcome, "holds the lock; gave up")
    name = database.scalar("SELECT current_database()")
    database.execute(f"ALTER DATABASE {name} SET lock_timeout = '50ms'")
    database.close()
    with database.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE api_tokens IN ACCESS EXCLUSIVE MODE")
        assert commands.provision("--list").code == 7
