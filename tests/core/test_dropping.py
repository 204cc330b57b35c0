"""Accounts are dropped only where somebody says so, by whatever command takes their tables away."""

import pytest

from tests.support.project import Project

YES = ("-x", "drop_accounts=yes")
PERSON = "INSERT INTO users (id, kind, email) VALUES ('{}', 'person', 'ada@example.org')"
SERVICE = "INSERT INTO users (id, kind, service_name) VALUES ('{}', 'service', 'ingest-bot')"
ENTRY = "INSERT INTO audit_events (id, action, actor) VALUES ('{}', 'service.created', 'grace')"


@pytest.fixture
def inhabited(project: Project) -> Project:
    """At 0001, with a person, a service and an entry of the trail."""
    project.start_at("0001")
    for number, statement in enumerate((PERSON, SERVICE, ENTRY)):
        project.database.execute(statement.format(f"{number:032x}"))
    return project


@pytest.mark.parametrize("target", ["base", pytest.param("-1", marks=pytest.mark.long)])
def test_a_downgrade_that_would_drop_accounts_is_refused(inhabited: Project, target: str) -> None:
    before = inhabited.database.content(volatile=True)
    outcome = inhabited.alembic_fails("downgrade", target)
    assert outcome.code == 1
    assert "with 1 person, 1 service and 1 entry of the audit trail; nothing was written" in outcome.err
    assert "alembic -x drop_accounts=yes downgrade" in outcome.err
    assert inhabited.database.content(volatile=True) == before


@pytest.mark.long
def test_it_is_refused_before_seeds_are_taken_back(sqlite_project: Project) -> None:
    project = sqlite_project
    project.start_at("head")
    project.database.execute(SERVICE.format("1" * 32))
    before = project.database.content(ledger=True, volatile=True)
    outcome = project.alembic_fails("downgrade", "base")
    assert "Running downgrade" not in outcome.err
    assert project.database.content(ledger=True, volatile=True) == before
    project.alembic(*YES, "downgrade", "base")
    assert project.database.tables() == {"alembic_version"}


def test_a_trail_alone_is_asked_for_too(sqlite_project: Project) -> None:
    sqlite_project.start_at("0001")
    sqlite_project.database.execute(ENTRY.format("1" * 32))
    assert "with 1 entry of the audit trail;" in sqlite_project.alembic_fails("downgrade", "base").err


@pytest.mark.long_on("postgresql")
def test_tables_without_rows_go_without_a_question(project: Project) -> None:
    project.start_at("0001")
    project.alembic("downgrade", "base")
    assert project.database.tables() == {"alembic_version"}


def test_a_downgrade_that_keeps_the_tables_asks_nothing(sqlite_project: Project) -> None:
    sqlite_project.start_at("seed_base")
    sqlite_project.database.execute(SERVICE.format("1" * 32))
    sqlite_project.alembic("downgrade", "0001")
    assert sqlite_project.database.scalar("SELECT count(*) FROM users") == 1


@pytest.mark.parametrize("said", ["true", "", "YES", "no"])
def test_another_answer_than_yes_is_none(sqlite_project: Project, said: str) -> None:
    sqlite_project.start_at("0001")
    outcome = sqlite_project.alembic_fails("-x", f"drop_accounts={said}", "downgrade", "base")
    assert outcome.code == 2
    assert "-x drop_accounts takes yes, and nothing else" in outcome.err


@pytest.mark.long_on("postgresql")
def test_a_script_stops_at_accounts_unless_it_was_written_to_drop_them(inhabited: Project) -> None:
    before = inhabited.database.content(volatile=True)
    script = inhabited.alembic("downgrade", "0001:base", "--sql").out
    done = inhabited.database.run_script(script)
    assert done.returncode != 0
    assert "accounts_are_there" in done.stderr
    assert inhabited.database.content(volatile=True) == before

    script = inhabited.alembic(*YES, "downgrade", "0001:base", "--sql").out
    done = inhabited.database.run_script(script)
    assert done.returncode == 0, done.stderr
    assert "users" not in inhabited.database.tables()


@pytest.mark.long_on("sqlite")
def test_a_script_drops_tables_without_rows(project: Project) -> None:
    project.start_at("0001")
    done = project.database.run_script(project.alembic("downgrade", "0001:base", "--sql").out)
    assert done.returncode == 0, done.stderr
    assert "users" not in project.database.tables()
