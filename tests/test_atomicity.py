"""Law 7 with the real commands: a run that is killed, or fails half-way, leaves the state before or after it.

Two ways to kill. At random moments, which also meets Alembic's start and the commit; and after every n-th
statement of a run, which leaves no gap between them.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.project import HEAD, Project, kill
from tests.support.waits import until

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
KILLS = 200 if LONG else 4
"""Random kills on each database, half of them on the way up."""
STATEMENTS = None if LONG else 3
"""How many moments of a run the statement walk samples; None walks through all of them."""

UP, DOWN = ("upgrade", "head"), ("downgrade", "seed_base")
Content = dict[str, list[Any]]


def content(database: Database) -> Content:
    """Everything in the database, without the time at which the seeds were applied."""
    found = database.content(ledger=True)
    return {**found, "seed_state": [row[:4] for row in found.get("seed_state", [])]}


def settle(database: Database) -> None:
    """Wait until the server has noticed that a killed process is gone."""
    if database.kind == "sqlite":
        return
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    until(lambda: not database.scalar(others), otherwise="the killed process's backend is still there")


def kill_after(project: Project, seconds: float, *arguments: str) -> None:
    """Start a command in a process group of its own, and kill all of it after some time."""
    process = project.start("alembic", *arguments)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill(process)
    settle(project.database)


def timed(project: Project, *arguments: str) -> tuple[float, Content]:
    """Run a command to its end; how long it took and what it left."""
    start = time.monotonic()
    project.alembic(*arguments)
    return time.monotonic() - start, content(project.database)


@pytest.mark.long
def test_a_run_killed_at_a_random_moment_leaves_the_state_before_or_after(project: Project) -> None:
    database = project.database
    empty = content(database)
    up_takes, seeded = timed(project, *UP)
    down_takes, unseeded = timed(project, *DOWN)
    moments = random.Random(None if LONG else database.kind)
    for number in range(KILLS // 2):
        start = unseeded
        if number % 2 == 0:
            database.empty()
            start = empty
        for command, takes, before, after in (
            (UP, up_takes, start, seeded),
            (DOWN, down_takes, seeded, unseeded),
        ):
            delay = moments.uniform(0, 1.15 * takes)
            kill_after(project, delay, *command)
            found = content(database)
            assert found in (before, after), f"{command} killed after {delay:.3f} s"
            project.alembic(*command)
            assert content(database) == after, f"the run after one killed after {delay:.3f} s"


# Runs `alembic …` in forked children, each killed at the moment named on a line of stdin: after its n-th
# statement, or right before or behind a commit. Forking saves the imports, so that all moments can be tried.
WALKER = """
import os, signal, sys
from alembic.config import main
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
import app.features.catalog, app.core.migration, psycopg, sqlalchemy.dialects.postgresql.psycopg

left = 0

def moment(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

commit = DefaultDialect.do_commit

def watched(self, connection):
    if not getattr(connection, "in_transaction", True):
        # SQLite's commit was a statement.
        return commit(self, connection)
    moment()
    commit(self, connection)
    moment()

DefaultDialect.do_commit = watched
event.listen(Engine, "before_cursor_execute", moment)
event.listen(Engine, "after_cursor_execute", moment)

for line in sys.stdin:
    left = number = int(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main(sys.argv[1:])
        except BaseException:
            os._exit(3)
        # What is not reached in the end is the number of moments that there were.
        os.write(int(os.environ["MOMENTS"]), b"%d\\n" % (number - left))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

Walk = Callable[[int], int | None]
NEVER = 1_000_000


@contextmanager
def walker(project: Project, *arguments: str) -> Iterator[Walk]:
    """Runs the command, killed at its n-th moment; tells the number of moments of a run that ended."""
    reads, writes = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", WALKER, *arguments],
        cwd=project.root,
        env=project.env(MOMENTS=str(writes)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        pass_fds=[writes],
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def walk(number: int) -> int | None:
        print(number, file=process.stdin, flush=True)
        code = int(process.stdout.readline())
        settle(project.database)
        assert code in (0, -signal.SIGKILL)
        return int(os.read(reads, 20)) if code == 0 else None

    with process:
        try:
            yield walk
        finally:
            process.stdin.close()
            process.wait(60)
            os.close(reads)
            os.close(writes)


def sample(moments: int, kind: str) -> list[int]:
    """The moments to try; the last two are those right before and behind the commit."""
    if STATEMENTS is None:
        return list(range(1, moments + 1))
    some = random.Random(f"{kind} {moments}").sample(range(1, moments - 1), STATEMENTS)
    return [*sorted(some), moments - 1, moments]


@pytest.mark.parametrize("command", [UP, DOWN], ids=lambda command: command[0])
@pytest.mark.long
def test_a_run_killed_after_any_of_its_statements_leaves_nothing_of_them(
    project: Project, command: tuple[str, str]
) -> None:
    database = project.database
    if command == DOWN:
        project.alembic(*UP)
    before = content(database)
    with walker(project, *command) as run:
        moments = run(NEVER)
        after = content(database)
        changed = [table for table in after.keys() | before.keys() if after.get(table) != before.get(table)]
        assert changed
        # Two for at least one statement a changed table, and two around the commit: the walk meets them all.
        assert moments is not None
        assert moments >= 2 * len(changed) + 2
        if command == DOWN:
            project.alembic(*UP)
        else:
            database.empty()
        for number in sample(moments, database.kind):
            assert run(number) is None, f"there is no moment {number} of {moments}"
            # Only the last moment is behind the commit.
            assert content(database) == (after if number == moments else before), number
    project.alembic(*command)
    assert content(database) == after


def add_machine(database: Database, name: str) -> None:
    """Somebody's machine of a name that the seed wants, with other values."""
    database.execute(
        "INSERT INTO machines (id, name, site, architecture, scheduler)"
        " VALUES ('3a5e7f10000040008000000000000001', :name, 'Kajaani', 'own', 'own')",
        name=name,
    )


@pytest.mark.long
def test_a_refused_seed_takes_the_schema_steps_of_its_run_back(project: Project) -> None:
    project.alembic("upgrade", "0001")
    add_machine(project.database, "lumi")
    before, columns = content(project.database), project.database.tables()
    outcome = project.alembic_fails(*UP)
    assert outcome.code == 1
    assert "Running upgrade 0001 -> 0002" in outcome.err
    assert "exists: machines (lumi)" in outcome.err
    assert project.heads() == {"0001"}
    assert project.database.tables() == columns
    assert content(project.database) == before

    project.database.execute("DELETE FROM machines")
    project.alembic(*UP)
    assert project.heads() == {HEAD}


@pytest.mark.long_on("postgresql")
def test_a_refused_seed_on_an_empty_database_leaves_it_empty(project: Project) -> None:
    # Nothing can be in the way of an empty database's seed but the tables' own constraints.
    revision = project.root / "migrations/versions/0001_initial_catalog.py"
    text = revision.read_text()
    revision.write_text(
        text.replace("def downgrade", '    op.execute("DROP TABLE external_links")\n\n\ndef downgrade')
    )
    outcome = project.alembic_fails(*UP)
    assert "the seeds need the table external_links" in outcome.err
    assert project.database.tables() == set()


@pytest.mark.long_on("postgresql")
def test_a_failing_schema_step_takes_the_seed_move_of_its_run_back(project: Project) -> None:
    project.alembic(*UP)
    before = content(project.database)
    revision = project.root / "migrations/versions/0001_initial_catalog.py"
    revision.write_text(revision.read_text() + '    raise RuntimeError("the last step fails")\n')
    outcome = project.run("alembic", "downgrade", "base")
    assert outcome.code != 0
    assert "seeds at seed_base: machines: 22 deleted" in outcome.err
    assert "the last step fails" in outcome.err
    assert content(project.database) == before
