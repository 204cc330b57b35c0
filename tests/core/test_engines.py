"""Engines: what Alembic's differ in."""

from pathlib import Path

import pytest
from sqlalchemy import event

from app.core.config import Settings
from app.core.engines import connected, new_engine
from tests.support.databases import Database
from tests.support.project import Project


def test_a_migrating_engine_keeps_no_connection_when_its_run_is_over(tmp_path: Path) -> None:
    engine = new_engine(Settings(DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}"), migrating=True)
    closed: list[object] = []
    event.listen(engine, "close", lambda connection, record: closed.append(connection))
    with connected(engine):
        assert not closed
    assert len(closed) == 1


def test_a_url_may_name_the_schema_and_the_time_zone_stays_utc(postgresql: Database) -> None:
    postgresql.execute("CREATE SCHEMA tenant")
    separator = "&" if "?" in postgresql.url else "?"
    url = f"{postgresql.url}{separator}options=-csearch_path%3Dtenant&connect_timeout=3"
    engine = new_engine(Settings(DATABASE_URL=url), migrating=True)
    with connected(engine) as connection:
        assert connection.exec_driver_sql("SELECT current_schema()").scalar() == "tenant"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"


def test_libpqs_environment_counts_as_it_does_for_every_client(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=12345")
    engine = new_engine(Settings(DATABASE_URL=postgresql.url), migrating=True)
    with connected(engine) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "12345ms"
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"


def test_a_whole_catalog_lives_in_a_schema_of_its_own(postgresql_project: Project) -> None:
    project, database = postgresql_project, postgresql_project.database
    database.execute("CREATE SCHEMA tenant")
    separator = "&" if "?" in database.url else "?"
    url = f"{database.url}{separator}options=-csearch_path%3Dtenant"
    for command in (["upgrade", "head"], ["check"], ["downgrade", "seed_base"], ["upgrade", "head"]):
        project.alembic(*command, DATABASE_URL=url)
    assert database.tables() == set()
    assert database.scalar("SELECT count(*) FROM tenant.simulations") == 98
