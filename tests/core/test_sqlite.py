"""URLs of SQLite: what is no file on a disk is refused as a setting."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.core.engines import connected, new_engine
from app.core.errors import ConfigurationError
from app.core.sqlite import file_of

IN_MEMORY = [
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite+pysqlite:///:memory:",
    "sqlite+aiosqlite://",
    "sqlite:///:memory:?cache=shared",
    "sqlite:///?uri=true",
    "sqlite:///:memory:?uri=true",
    "sqlite:///file::memory:",
    "sqlite:///file::memory:?uri=true",
    "sqlite:///file::memory:?cache=shared&uri=1",
    "sqlite:///file:%3Amemory%3A?uri=true",
    "sqlite:///file:%253Amemory%253A?uri=true",
    "sqlite:///file:?uri=true",
    "sqlite:///file:?cache=shared&uri=true",
    "sqlite:///file:%3Fmode=ro?uri=true",
    "sqlite:///x.db?mode=memory",
    "sqlite:///file:x.db?mode=memory&uri=true",
    "sqlite:///file:x.db%3Fmode=memory?uri=true",
    "sqlite:///file:x.db?cache=shared%26mode=memory&uri=true",
    "sqlite:///file:/x.db?vfs=memdb&uri=true",
]


@pytest.mark.parametrize("url", IN_MEMORY)
def test_a_database_in_memory_is_a_settings_error(url: str) -> None:
    for asynchronous in (False, True):
        with pytest.raises(ConfigurationError, match=r"means a database in memory.* name a file"):
            Settings(DATABASE_URL=url).url(asynchronous=asynchronous)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:///x.db", "x.db"),
        ("sqlite:////srv/x.db", "/srv/x.db"),
        ("sqlite:///x.db?timeout=3", "x.db"),
        ("sqlite:///memory", "memory"),
        ("sqlite:///file:x.db?uri=true", "x.db"),
        ("sqlite:///file:/srv/a%20b.db?mode=ro&uri=true", "/srv/a b.db"),
        ("sqlite:///file:///srv/x.db?immutable=1&uri=on", "/srv/x.db"),
    ],
)
def test_any_other_url_means_a_file(url: str, file: str) -> None:
    assert file_of(make_url(url)) == Path(file)
    Settings(DATABASE_URL=url).url()


@pytest.mark.parametrize("query", ["mode=ro", "mode=ro&uri=true", "vfs=nope&uri=true&timeout=3"])
def test_an_option_that_nobody_would_read_is_refused(tmp_path: Path, query: str) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}?{query}"
    with pytest.raises(ConfigurationError, match=r"the option '\w+', which SQLite reads from a URI alone"):
        Settings(DATABASE_URL=url).url()
    assert not [*tmp_path.iterdir()]


def test_a_uri_opens_the_file_that_it_means(tmp_path: Path) -> None:
    url = f"sqlite:///file:{tmp_path}/a%2520b.db?mode=rwc&uri=true"
    with connected(new_engine(Settings(DATABASE_URL=url))) as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        connection.commit()
    assert file_of(Settings(DATABASE_URL=url).url()) == tmp_path / "a b.db"
    assert (tmp_path / "a b.db").exists()
