"""Engines: what Alembic's differ in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.core.engines import connected, engine_options, new_engine
from app.core.errors import ConfigurationError
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


# -- what a connection is told ---------------------------------------------------------------------


def told(monkeypatch: pytest.MonkeyPatch, query: str = "", **environment: str) -> dict[str, Any]:
    """What a connection is told beside its URL."""
    for name in ("PGOPTIONS", "PGSERVICE", "PGCONNECT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings(DATABASE_URL=f"postgresql://u@h/d{query}")
    given: dict[str, Any] = engine_options(settings.url(), settings)["connect_args"]
    return given


@pytest.mark.parametrize(
    ("query", "environment"),
    [
        ("", {}),
        ("?options=-csearch_path%3Dtenant", {}),
        ("", {"PGOPTIONS": "-c search_path=tenant"}),
        ("?service=catalog", {}),
        ("", {"PGSERVICE": "catalog"}),
    ],
)
def test_no_options_are_sent_at_startup_but_those_of_the_url_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, query: str, environment: dict[str, str]
) -> None:
    given = told(monkeypatch, query, **environment)
    assert "options" not in given
    assert given["prepare_threshold"] is None
    assert given["client_encoding"] == "utf8"


@pytest.mark.parametrize(
    ("query", "environment", "ours"),
    [
        ("", {}, True),
        ("?connect_timeout=3", {}, False),
        ("?service=catalog", {}, False),
        ("", {"PGCONNECT_TIMEOUT": "3"}, False),
        ("", {"PGSERVICE": "catalog"}, False),
    ],
)
def test_a_connection_is_given_up_in_time_unless_somebody_says_when(
    monkeypatch: pytest.MonkeyPatch, query: str, environment: dict[str, str], ours: bool
) -> None:
    assert ("connect_timeout" in told(monkeypatch, query, **environment)) is ours


def test_a_service_file_keeps_what_it_asks_for(
    postgresql: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(postgresql.url)
    postgresql.execute("CREATE SCHEMA tenant")
    file = tmp_path / "services"
    host = url.host or url.query["host"]
    file.write_text(
        f"[catalog]\nhost={host}\nport={url.port or 5432}\nuser={url.username}\ndbname={url.database}\n"
        + (f"password={url.password}\n" if url.password else "")
        + "options=-c search_path=tenant\nclient_encoding=LATIN1\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    engine = new_engine(Settings(DATABASE_URL="postgresql://?service=catalog"), migrating=True)
    with connected(engine) as connection:
        assert connection.exec_driver_sql("SELECT current_schema()").scalar() == "tenant"
        assert connection.exec_driver_sql("SHOW client_encoding").scalar() == "UTF8"


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_the_level_is_read_committed_whatever_the_database_s_default(
    postgresql: Database, level: str
) -> None:
    name = postgresql.scalar("SELECT current_database()")
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    for migrating in (True, False):
        engine = new_engine(Settings(DATABASE_URL=postgresql.url), migrating=migrating)
        with connected(engine) as connection:
            assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        engine.dispose()


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres"])
def test_moments_are_read_whatever_the_database_s_way_to_write_them(postgresql: Database, style: str) -> None:
    name = postgresql.scalar("SELECT current_database()")
    postgresql.execute(f"ALTER DATABASE {name} SET datestyle = '{style}'")
    for migrating in (True, False):
        engine = new_engine(Settings(DATABASE_URL=postgresql.url), migrating=migrating)
        with connected(engine) as connection:
            read = connection.exec_driver_sql("SELECT '2020-02-03 04:05:06+00'::timestamptz").scalar()
        assert read == datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
        engine.dispose()


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("nope=1", "an option, number 1, that PostgreSQL's client library does not know"),
        ("ssl_mode=require", "does not know (did you mean 'sslmode'?)"),
        ("connect_timeout=soon", "refuses: bad value for connect_timeout: '…'"),
        ("port=hid%20den", "non-integer port arguments: ('…',)"),
        ("row_factory=x", "the option 'row_factory', which is the driver's own"),
        ("cursor_factory=x", "the option 'cursor_factory', which is the driver's own"),
        ("context=x", "the option 'context', which is the driver's own"),
    ],
)
def test_an_option_that_no_server_is_asked_about_is_a_settings_error(option: str, reason: str) -> None:
    settings = Settings(DATABASE_URL=f"postgresql://u:hidden@127.0.0.1:1/x?{option}")
    with pytest.raises(ConfigurationError) as caught, connected(new_engine(settings)):
        pass
    assert reason in str(caught.value)
    assert "hidden" not in str(caught.value)
