"""URLs of SQLite: what is no file on a disk is refused as a setting."""

import asyncio
import ctypes
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.core.config import Settings
from app.core.database_async import new_async_engine
from app.core.engines import connected, new_engine
from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.sqlite import file_of, is_there

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


# -- who may read a file ---------------------------------------------------------------------------


@pytest.fixture(params=[0o022, 0o000, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What a shell takes away from new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def write(url: str, *, migrating: bool = False) -> None:
    engine = new_engine(Settings(DATABASE_URL=url), migrating=migrating)
    with connected(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        connection.commit()
    engine.dispose()


@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:///file:{}?mode=rwc&uri=true"])
@pytest.mark.parametrize("migrating", [True, False])
def test_a_new_file_is_its_owner_s_alone(tmp_path: Path, umask: int, form: str, migrating: bool) -> None:
    file = tmp_path / "x y.db"
    write(form.format(file), migrating=migrating)
    assert mode_of(file) == 0o600


def test_a_new_file_of_an_asynchronous_engine_is_its_owner_s_alone(tmp_path: Path) -> None:
    from sqlalchemy import text

    async def use() -> None:
        engine = new_async_engine(Settings(DATABASE_URL=f"sqlite:///{tmp_path / 'x.db'}"))
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE t (a)"))
        await engine.dispose()

    asyncio.run(use())
    assert mode_of(tmp_path / "x.db") == 0o600


def test_what_sqlite_writes_beside_a_file_is_as_private(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    engine = new_engine(Settings(DATABASE_URL=f"sqlite:///{file}"))
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a)")
        assert mode_of(tmp_path / "x.db-journal") == 0o600
        connection.commit()
    with engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert {mode_of(tmp_path / f"x.db-{name}") for name in ("wal", "shm")} == {0o600}
    engine.dispose()


def test_a_file_that_is_there_keeps_its_mode_and_its_content(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    write(f"sqlite:///{file}")
    file.chmod(0o640)
    with connected(new_engine(Settings(DATABASE_URL=f"sqlite:///{file}"))) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
    assert mode_of(file) == 0o640


def test_a_file_that_a_dangling_link_leads_to_is_as_private(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "there.db")
    write(f"sqlite:///{tmp_path / 'link.db'}")
    assert mode_of(tmp_path / "there.db") == 0o600


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_no_file_is_made_where_the_url_asks_for_one_that_is_there(tmp_path: Path, mode: str) -> None:
    engine = new_engine(Settings(DATABASE_URL=f"sqlite:///file:{tmp_path}/x.db?mode={mode}&uri=true"))
    with pytest.raises(DatabaseUnavailable, match="unable to open"), connected(engine):
        pass
    assert not [*tmp_path.iterdir()]


def test_a_link_that_leads_to_itself_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").symlink_to(tmp_path / "x.db")
    with pytest.raises(DatabaseUnavailable, match="cannot use the database"):
        write(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_file_behind_a_folder_that_may_not_be_entered_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "x.db").touch()
    folder.chmod(0)
    # Root enters any folder: a thread may ask for files as somebody else.
    become = ctypes.CDLL(None).setfsuid if os.getuid() == 0 else None
    try:
        with ThreadPoolExecutor(1, initializer=become, initargs=(65534,) if become else ()) as somebody:
            for look in (write, lambda url: is_there(make_url(url))):
                with pytest.raises(DatabaseUnavailable, match="Permission denied: a folder on the way"):
                    somebody.submit(look, f"sqlite:///{folder}/x.db").result()
    finally:
        folder.chmod(0o700)


def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/{'x' * 300}.db"
    for look in (write, lambda url: is_there(make_url(url))):
        with pytest.raises(DatabaseUnavailable, match="File name too long"):
            look(url)
