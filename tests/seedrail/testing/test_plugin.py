"""Fixtures in a project of somebody else: pytest in a process, on each kind of database."""

import pytest

from tests.docs.story import step
from tests.seedrail.testing.conftest import PAGE, Shop, said

OWN = """
import logging
import os
import pytest
import sqlalchemy as sa
from library.models import Author

def test_log_messages_of_a_test_are_heard(seed_session, caplog):
    logging.getLogger("library").warning("heard")
    assert caplog.messages == ["heard"]

def test_the_environment_is_as_it_was(seed_database):
    assert "DATABASE_URL" not in os.environ

def test_an_error_of_the_database_ends_a_savepoint_alone(seed_session):
    seed_session.add(Author(name="Ada"))
    seed_session.commit()
    seed_session.add(Author(name="Ada"))
    with pytest.raises(sa.exc.IntegrityError):
        seed_session.commit()
    seed_session.rollback()
    assert seed_session.scalar(sa.select(sa.func.count()).select_from(Author)) == 2

def test_an_application_binds_sessions_of_its_own(seed_connection):
    make = sa.orm.sessionmaker(seed_connection, join_transaction_mode="create_savepoint")
    with make.begin() as one:
        one.add(Author(name="Ada"))
    with make() as other:
        assert other.scalar(sa.select(sa.func.count()).select_from(Author)) == 2

def test_what_others_wrote_is_gone(seed_engine):
    with seed_engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Author)) == 1

def test_two_databases_are_two(seed_database, empty_database):
    with empty_database.connect() as connection:
        assert not sa.inspect(connection).get_table_names()
    empty_database.upgrade()
    empty_database.downgrade("seed_base")
    with seed_database.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM books")) == 2
"""


def test_the_pages_tests_pass_and_leave_no_database_behind(shop: Shop) -> None:
    before = shop.database.rows(DATABASES) if shop.database.kind == "postgresql" else []
    outcome = shop.pytest()
    assert "3 passed" in outcome.out, outcome.text
    if before:
        assert shop.database.rows(DATABASES) == before
    assert not [*shop.root.glob("*.db")]


DATABASES = "SELECT datname FROM pg_database WHERE datname LIKE 'seedrail_test%' OR datname = 'postgres'"


def test_tests_have_what_they_expect_of_a_database_log_and_environment(shop: Shop) -> None:
    shop.write("tests/test_own.py", OWN)
    outcome = shop.pytest("tests/test_own.py")
    assert "6 passed" in outcome.out, outcome.text


@pytest.mark.long_on("postgresql")
def test_a_run_that_would_lead_to_another_database_is_refused(shop: Shop) -> None:
    shop.edit("pyproject.toml", 'seedrail_url_variable = "DATABASE_URL"\n', "")
    outcome = shop.pytest("tests/test_books.py")
    told = "env.py leads to another database than that of the tests: the sqlite database shop.db"
    assert "2 errors" in outcome.out
    assert told in said(outcome)
    assert "seedrail_url_variable = NAME" in outcome.text
    left = shop.root / "shop.db"
    assert not left.exists() or not left.read_bytes()


@pytest.mark.long_on("postgresql")
def test_an_env_py_that_reads_the_configuration_needs_no_setting(shop: Shop) -> None:
    shop.edit("pyproject.toml", 'seedrail_url_variable = "DATABASE_URL"\n', "")
    old = 'os.environ.get("DATABASE_URL", "sqlite:///shop.db")'
    shop.edit("migrations/env.py", old, 'context.config.get_main_option("sqlalchemy.url")')
    assert "3 passed" in shop.pytest().out


def test_a_test_that_ends_the_transaction_itself_is_told(shop: Shop) -> None:
    body = "def test_one(seed_connection):\n    seed_connection.commit()\n"
    shop.write("tests/test_own.py", body)
    outcome = shop.pytest("tests/test_own.py")
    assert "1 passed, 1 error" in outcome.out
    assert "the test ended the transaction that was to be taken back" in outcome.out


@pytest.mark.long_on("postgresql")
def test_another_configuration_and_options_of_env_py_are_settings(shop: Shop) -> None:
    (shop.root / "alembic.ini").rename(shop.root / "other.ini")
    more = 'seedrail_config = "other.ini"\nseedrail_options = "seed_conflict=never"\n'
    shop.edit("pyproject.toml", "seedrail_url_variable", more + "seedrail_url_variable")
    outcome = shop.pytest("tests/test_books.py")
    assert "seed_conflict" in outcome.out
    assert "2 errors" in outcome.out
    shop.edit("pyproject.toml", "never", "keep")
    assert "2 passed" in shop.pytest("tests/test_books.py").out
    shop.edit("pyproject.toml", "other.ini", "nowhere.ini")
    assert "there is no " in shop.pytest("tests/test_books.py").out


def test_the_page_shows_what_a_broken_history_says(shop: Shop) -> None:
    shop.help_itself("UPDATE authors SET name = 'George Gordon Byron' WHERE name = 'Lord Byron'")
    outcome = shop.pytest("tests/test_seeds.py")
    expected = step(PAGE, "example", "broken").body
    assert " ".join(expected.split()) in said(outcome).replace(" E ", " ")
