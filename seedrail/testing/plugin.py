"""What pytest finds: options, and fixtures that a project may override by their names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.orm import Session

from seedrail.commands.project import config_of
from seedrail.testing.databases import SeedDatabase, fresh_database, synchronous
from seedrail.testing.transactions import rolled_back


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seedrail-url`, and what stands in pytest's own configuration."""
    group = parser.getgroup("seedrail")
    group.addoption("--seedrail-url", metavar="URL", help="Where tests make their databases.")
    parser.addini("seedrail_url", "The same; SQLite files unless told otherwise.", default="sqlite://")
    parser.addini("seedrail_url_variable", "The environment variable that env.py takes its URL from.")
    parser.addini("seedrail_config", "Alembic's configuration, from the root of the tests.")
    parser.addini("seedrail_options", "Options of env.py, NAME=VALUE, as `alembic -x` has them.", type="args")


@pytest.fixture(scope="session")
def seed_config(pytestconfig: pytest.Config) -> Config:
    """Alembic's configuration: `seedrail_config`, or what `alembic` finds in the root of the tests."""
    root = pytestconfig.rootpath
    if given := pytestconfig.getini("seedrail_config"):
        return config_of(str(root / given))
    found = [root / name for name in ("alembic.ini", "pyproject.toml")]
    return config_of(str(next(filter(Path.is_file, found), found[0])))


@pytest.fixture(scope="session")
def seed_url(pytestconfig: pytest.Config) -> str:
    """The URL of a server, or `sqlite://`: `--seedrail-url`, or `seedrail_url`."""
    return str(pytestconfig.getoption("--seedrail-url") or pytestconfig.getini("seedrail_url"))


@pytest.fixture(scope="session")
def seed_database(seed_config: Config, seed_url: str, pytestconfig: pytest.Config) -> Iterator[SeedDatabase]:
    """A database at the newest schema with the newest seeds, of this session alone."""
    with _fresh(seed_config, seed_url, pytestconfig) as database:
        database.upgrade()
        yield database


@pytest.fixture
def empty_database(seed_config: Config, seed_url: str, pytestconfig: pytest.Config) -> Iterator[SeedDatabase]:
    """A database with nothing in it, of this test alone."""
    with _fresh(seed_config, seed_url, pytestconfig) as database:
        yield database


@pytest.fixture(scope="session")
def seed_engine(seed_database: SeedDatabase) -> Iterator[Engine]:
    """An engine on the seeded database; override it where the application's own has settings."""
    engine = create_engine(synchronous(seed_database.url))
    yield engine
    engine.dispose()


@pytest.fixture
def seed_connection(seed_engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is taken back when the test ends."""
    with rolled_back(seed_engine) as connection:
        yield connection


@pytest.fixture
def seed_session(seed_connection: Connection) -> Iterator[Session]:
    """A session of the ORM in that transaction: what it commits, the test alone sees."""
    with Session(bind=seed_connection, join_transaction_mode="create_savepoint") as session:
        yield session


@contextmanager
def _fresh(config: Config, url: str, settings: pytest.Config) -> Iterator[SeedDatabase]:
    variable, options = settings.getini("seedrail_url_variable"), settings.getini("seedrail_options")
    with fresh_database(url) as made:
        yield SeedDatabase(config, made, variable, tuple(options))
