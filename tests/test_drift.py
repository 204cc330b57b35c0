"""The real commands say where seeded rows differ from the seed: `seed`, and `alembic check`."""

import subprocess
import sys

import pytest

from tests.support.project import HEAD, Project

SEED = "app.scripts.db.seed"
EDITED = "3 seeded rows were edited: 2 in machines ("
DELETED = "1 seeded row was deleted: 1 in external_links ("


def edit(project: Project) -> None:
    """Three edits and a deletion."""
    project.database.execute("UPDATE machines SET site = 'Kajaani' WHERE name IN ('lumi', 'chrysalis')")
    project.database.execute(
        "UPDATE simulations SET notes_markdown = 'x'"
        " WHERE id IN (SELECT id FROM simulations WHERE notes_markdown IS NULL LIMIT 1)"
    )
    project.database.execute("DELETE FROM external_links WHERE id IN (SELECT id FROM external_links LIMIT 1)")


@pytest.mark.long_on("postgresql")
def test_seed_and_check_say_which_seeded_rows_differ_and_succeed(project: Project) -> None:
    project.start_at(HEAD)
    edit(project)
    before = project.database.content(ledger=True, volatile=True)
    for command in ((SEED,), ("alembic", "check")):
        outcome = project.run(*command)
        assert outcome.code == 0, outcome.text
        for words in (EDITED, DELETED, "1 in simulations (", "is refused and lists it"):
            assert words in outcome.err
    assert project.database.content(ledger=True, volatile=True) == before


def test_a_quiet_seed_does_not_compare_and_a_quiet_check_warns(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at(HEAD)
    edit(project)
    assert project.run(SEED, "--quiet").text == ""
    assert EDITED in project.alembic("-q", "check").err


@pytest.mark.long
def test_nothing_is_said_of_rows_as_they_were_seeded(sqlite_project: Project) -> None:
    sqlite_project.start_at(HEAD)
    for command in ((SEED,), ("alembic", "check")):
        outcome = sqlite_project.run(*command)
        assert outcome.code == 0
        assert "seedrail.merge.report.drift" not in outcome.text


INTERRUPTED = """
from seedrail.merge.report import drift

def interrupted(*_, **__):
    raise KeyboardInterrupt

drift.differences = interrupted
from app.scripts.db.seed import app
from app.scripts.exits import run
run(app)
"""


@pytest.mark.long
def test_an_interrupt_of_the_comparison_does_not_say_that_nothing_was_written(
    sqlite_project: Project,
) -> None:
    sqlite_project.start_at("seed_0001")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=sqlite_project.root,
        env=sqlite_project.env(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.splitlines()[-1] == "interrupted; what was asked for is done"
    assert HEAD in sqlite_project.heads()
