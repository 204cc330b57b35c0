"""Law 8 with the real commands: of two runs one works and the other waits; a wait ends, and says how."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.locks import take_lock
from app.features.catalog import METADATA
from tests.support.databases import Database, Servers
from tests.support.project import HEAD, Outcome, Process, Project, end, kill
from tests.support.waits import lock_held, until, waiting

INSERTED = "seeds at seed_0004: machines: 22 inserted"


@contextmanager
def open_transaction(database: Database, sql: str) -> Iterator[sa.Connection]:
    """A user's transaction that has done something and is not ended."""
    with database.engine.connect() as connection:
        connection.execute(sa.text(sql))
        yield connection


@contextmanager
def accounts_locked(database: Database) -> Iterator[None]:
    """The lock of the accounts, held by somebody else."""
    with Session(database.engine) as session:
        take_lock(session, METADATA.tables["users"], 5)
        yield


def end_within(run: Process, seconds: float) -> Outcome:
    """What a run did that ends by itself by then, long before its wait would."""
    out, err = run.communicate(timeout=seconds)
    assert run.returncode is not None
    return Outcome(run.returncode, out, err)


def assert_timed_out(outcome: Outcome, seconds: str) -> None:
    """One message, no traceback, exit code 1."""
    assert outcome.code == 1, outcome.text
    assert "Traceback" not in outcome.text
    errors = [line for line in outcome.err.splitlines() if line.startswith("ERROR: ")]
    assert len(errors) == 1, outcome.err
    assert f"gave up after {seconds} s, nothing was written" in errors[0]


def test_of_two_runs_at_once_one_seeds_and_the_other_finds_nothing_to_do(project: Project) -> None:
    runs = [project.start("alembic", "upgrade", "head") for _ in range(2)]
    outcomes = [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert sum(INSERTED in outcome.err for outcome in outcomes) == 1, outcomes
    assert sum("Running upgrade" in outcome.err for outcome in outcomes) == 1, outcomes
    assert project.heads() == {HEAD}
    seeded = project.database.content(ledger=True)
    assert len(seeded["machines"]) == 22
    assert seeded["seed_claims"] == []


def waits(project: Project, run: Process) -> bool:
    """Whether a run waits for the lock; on SQLite, whether it has come as far as the file."""
    if project.database.path is None:
        return bool(waiting(project.database))
    files = Path("/proc", str(run.pid), "fd")
    with contextlib.suppress(OSError):
        return str(project.database.path) in {os.readlink(file) for file in files.iterdir()}
    return False


ENDED = [
    (signal.SIGINT, "interrupted, nothing was written"),
    (signal.SIGTERM, "interrupted by SIGTERM, nothing was written"),
]
PROVISION = ("app.scripts.users.provision_service_account", "--service-name", "bot", "--format", "env")


@pytest.mark.parametrize(
    ("command", "number", "sentence"),
    [(("app.scripts.db.seed",), *ENDED[0]), (("alembic", "upgrade", "head"), *ENDED[1])],
)
def test_a_signal_ends_a_waiting_run_with_its_sentence_and_its_code(
    project: Project, command: tuple[str, ...], number: signal.Signals, sentence: str
) -> None:
    with lock_held(project.database):
        run = project.start(*command)
        until(lambda: waits(project, run))
        os.kill(run.pid, number)
        outcome = end_within(run, 10)
    assert outcome.code == 128 + number, outcome.text
    assert outcome.err.splitlines()[-1] == sentence
    assert "Traceback" not in outcome.err
    assert not project.database.tables()


@pytest.mark.long
@pytest.mark.parametrize(("number", "sentence"), ENDED)
def test_a_signal_ends_a_waiting_account_script(
    project: Project, number: signal.Signals, sentence: str
) -> None:
    project.start_at(HEAD)
    with accounts_locked(project.database):
        run = project.start(*PROVISION, "--lock-timeout", "60")
        until(lambda: waits(project, run))
        os.kill(run.pid, number)
        outcome = end_within(run, 10)
    assert outcome.code == 128 + number, outcome.text
    assert outcome.err.splitlines()[-1] == sentence
    assert outcome.out == ""
    assert project.database.scalar("SELECT count(*) FROM api_tokens") == 0


@pytest.mark.long
def test_runs_that_wait_for_the_same_lock_take_turns(project: Project) -> None:
    with lock_held(project.database):
        runs = [project.start("alembic", "upgrade", "head") for _ in range(3)]
        if project.database.kind == "postgresql":
            until(lambda: waiting(project.database) == 3)
        else:
            time.sleep(1.5)
        assert [run.poll() for run in runs] == [None] * 3
    outcomes = [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0, 0, 0], outcomes
    assert sum(INSERTED in outcome.err for outcome in outcomes) == 1, outcomes
    assert project.database.scalar("SELECT count(*) FROM machines") == 22


@pytest.mark.long
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_four_runs_at_once_end_well_whatever_the_database_s_default_level(
    postgresql_project: Project, level: str
) -> None:
    database = postgresql_project.database
    name = database.scalar("SELECT current_database()")
    database.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    runs = [postgresql_project.start("app.scripts.db.seed") for _ in range(4)]
    outcomes = [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0] * 4, [outcome.err for outcome in outcomes]
    assert sum(INSERTED in outcome.err for outcome in outcomes) == 1
    assert postgresql_project.heads() == {HEAD}


def test_of_two_rollbacks_at_once_one_deletes_and_the_other_finds_nothing_to_do(project: Project) -> None:
    project.start_at("head")
    runs = [project.start("alembic", "downgrade", "seed_base") for _ in range(2)]
    outcomes = [end(run) for run in runs]
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert sum("machines: 22 deleted" in outcome.err for outcome in outcomes) == 1, outcomes
    assert project.heads() == {"seed_base", "0003"}


@pytest.mark.long_on("sqlite")
def test_a_run_that_does_not_get_the_lock_in_time_says_so_and_writes_nothing(project: Project) -> None:
    with lock_held(project.database):
        assert_timed_out(project.run("alembic", "upgrade", "head", APP_LOCK_TIMEOUT="0.5"), "0.5")
        outcome = project.run("app.scripts.db.seed", APP_LOCK_TIMEOUT="0.5")
        assert_timed_out(outcome, "0.5")
    assert project.database.tables() == set()


def test_a_rollback_that_does_not_get_the_lock_in_time_writes_nothing(project: Project) -> None:
    project.start_at("head")
    before = project.database.content(ledger=True)
    with lock_held(project.database):
        outcome = project.run("alembic", "downgrade", "seed_base", APP_LOCK_TIMEOUT="0.5")
        assert_timed_out(outcome, "0.5")
    assert project.database.content(ledger=True) == before


@pytest.mark.long_on("postgresql")
def test_a_killed_run_leaves_no_lock_behind(project: Project) -> None:
    revision = project.root / "migrations/versions/0001_initial_catalog.py"
    text, arrived = revision.read_text(), project.root / "arrived"
    stuck = f"    import pathlib, time\n    pathlib.Path({str(arrived)!r}).touch()\n    time.sleep(300)\n"
    revision.write_text(text.replace("\n\n\ndef downgrade", f"\n{stuck}\n\ndef downgrade"))
    holder = project.start("alembic", "upgrade", "head")
    try:
        until(arrived.exists)
        assert_timed_out(project.run("alembic", "upgrade", "head", APP_LOCK_TIMEOUT="0.3"), "0.3")
    finally:
        kill(holder)
    revision.write_text(text)
    outcome = project.alembic("upgrade", "head", APP_LOCK_TIMEOUT="5")
    assert INSERTED in outcome.err


@pytest.mark.long
def test_a_run_waits_for_a_user_s_open_transaction_and_then_gives_up(project: Project) -> None:
    project.start_at("head")
    before = project.database.content(ledger=True)
    edit = "UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'"
    with open_transaction(project.database, edit) as user:
        for command in (("downgrade", "seed_base"), ("downgrade", "base")):
            outcome = project.run("alembic", *command, APP_LOCK_TIMEOUT="0.5")
            assert_timed_out(outcome, "0.5")
        user.rollback()
    assert project.database.content(ledger=True) == before


@pytest.mark.long
def test_a_schema_step_waits_for_a_user_s_open_transaction_and_then_gives_up(project: Project) -> None:
    project.start_at("0001")
    before = project.database.content()
    add = (
        "INSERT INTO machines (id, name, site, architecture, scheduler)"
        " VALUES ('3a5e7f10000040008000000000000001', 'own', 'own', 'own', 'own')"
    )
    with open_transaction(project.database, add) as user:
        outcome = project.run("alembic", "upgrade", "head", APP_LOCK_TIMEOUT="0.5")
        assert_timed_out(outcome, "0.5")
        user.rollback()
    assert project.database.content() == before
    assert project.heads() == {"0001"}


def test_an_edit_that_is_committed_while_a_run_waits_is_seen_by_it(project: Project) -> None:
    project.start_at("head")
    edit = "UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'"
    with open_transaction(project.database, edit) as user:
        run = project.start("alembic", "downgrade", "seed_base", APP_LOCK_TIMEOUT="60")
        if project.database.kind == "postgresql":
            until(lambda: waiting(project.database) == 1)
        else:
            time.sleep(1.5)
        assert run.poll() is None
        user.commit()
    outcome = end(run)
    assert outcome.code == 1
    assert "machines (lumi) would be deleted, but its site was changed from 'CSC' to 'Kajaani'" in outcome.err
    assert project.database.scalar("SELECT count(*) FROM machines") == 22


def test_a_deadlock_with_a_user_ends_one_of_the_two_with_a_message(servers: Servers, tmp_path: Path) -> None:
    with servers.database("postgresql", tmp_path) as database:
        project = Project.copy_to(tmp_path / "project", database)
        project.alembic("upgrade", "head")
        before = database.content(ledger=True)
        edit = "UPDATE machines SET site = 'Kajaani' WHERE name = 'lumi'"
        with open_transaction(database, edit) as user:
            run = project.start("alembic", "downgrade", "seed_base", APP_LOCK_TIMEOUT="30")
            until(lambda: waiting(database) == 1)
            # The run has locked the artifacts by now, and waits for the machines.
            with contextlib.suppress(sa.exc.OperationalError):
                user.execute(sa.text("UPDATE artifacts SET label = 'ours'"))
            user.rollback()
        outcome = end(run)
        assert "Traceback" not in outcome.text, outcome.text
        if outcome.code:
            assert "nothing was written" in outcome.err
            assert database.content(ledger=True) == before


@pytest.mark.parametrize("command", [("upgrade", "head"), ("downgrade", "seed_base")], ids=" ".join)
@pytest.mark.long
def test_an_open_reader_does_not_make_a_run_hang_or_write_half(
    project: Project, command: tuple[str, str]
) -> None:
    project.start_at("seed_0002")
    before = project.database.content(ledger=True)
    with open_transaction(project.database, "SELECT count(*) FROM machines"):
        outcome = project.run("alembic", *command, APP_LOCK_TIMEOUT="0.5")
        if project.database.kind == "postgresql":
            # Readers are in nobody's way there.
            assert outcome.code == 0, outcome.text
            return
        assert_timed_out(outcome, "0.5")
    assert project.database.content(ledger=True) == before
