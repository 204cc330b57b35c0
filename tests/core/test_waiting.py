"""Waiting for a database: what time mends is waited for, what it does not is said at once."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from app.core.config import get_settings
from app.core.errors import ConfigurationError, DatabaseUnavailable
from app.core.waiting import wait_for_database
from tests.support.databases import Database
from tests.support.waits import ctrl_c

PROGRAM = Path(__file__).parents[1] / "support" / "refusing.py"
STARTING = ("57P03", "das Datenbanksystem startet")
FULL = ("53300", "sorry, too many clients already")
WRONG_PASSWORD = ("28P01", "password authentication failed")
NO_SUCH_DATABASE = ("3D000", 'database "catalog" does not exist')


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What each test sets."""
    monkeypatch.delenv("APP_DATABASE_WAIT", raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


class Refusing:
    """A server that refuses connections, and then leads to a real one; started when `start` is called."""

    def __init__(self, port: int = 0, error: tuple[str, str] = STARTING, refusals: int = -1) -> None:
        self.port = port
        self._arguments = [str(port), *error, str(refusals)]
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def start(self, behind: Database | None = None) -> None:
        if behind:
            url = make_url(behind.url)
            where = (url.host or url.query["host"], url.port or url.query.get("port", 5432))
            self._arguments += map(str, where)
        program = [sys.executable, "-S", str(PROGRAM), *self._arguments]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def end(self) -> int:
        """End it; returns how many connections told it their names."""
        if self._process:
            self._process.kill()
            self._asked = len(self._process.communicate()[0].split())
            self._process = None
        return self._asked


@pytest.fixture
def started() -> Iterator[Callable[..., Refusing]]:
    """Start a server that ends with the test."""
    running: list[Refusing] = []

    def start(behind: Database | None = None, **options: Any) -> Refusing:
        server = Refusing(**options)
        server.start(behind)
        running.append(server)
        return server

    yield start
    for server in running:
        server.end()


@pytest.fixture
def point_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make DATABASE_URL lead to a port of this machine."""

    def point(port: int, database: Database | None = None) -> None:
        url = (
            make_url(database.url) if database else make_url("postgresql+psycopg://catalog:hunter2@/catalog")
        )
        there = url.set(host="127.0.0.1", port=port, query={})
        monkeypatch.setenv("DATABASE_URL", there.render_as_string(hide_password=False))

    return point


@pytest.fixture
def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_server_that_is_not_there_yet_is_waited_for(
    postgresql: Database,
    free_port: int,
    started: Callable[..., Refusing],
    point_to: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    point_to(free_port, postgresql)
    timer = threading.Timer(0.4, started, (postgresql,), {"port": free_port, "refusals": 0})
    timer.start()
    began = time.monotonic()
    wait_for_database(30)
    assert 0.3 < time.monotonic() - began < 20
    timer.join()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert said[0].startswith("waiting up to 30 s for the database postgresql+psycopg://")
    assert "Connection refused" in said[0]


@pytest.mark.parametrize("refusal", [STARTING, FULL])
def test_a_server_that_has_no_place_for_anybody_yet_is_waited_for(
    postgresql: Database,
    started: Callable[..., Refusing],
    point_to: Callable[..., None],
    refusal: tuple[str, str],
) -> None:
    server = started(postgresql, error=refusal, refusals=5)
    point_to(server.port, postgresql)
    wait_for_database(30)
    assert server.end() > 5


@pytest.mark.parametrize("refusal", [WRONG_PASSWORD, NO_SUCH_DATABASE])
def test_what_no_waiting_mends_is_said_at_once(
    started: Callable[..., Refusing],
    point_to: Callable[..., None],
    refusal: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = started(error=refusal)
    point_to(server.port)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=refusal[1]) as caught:
        wait_for_database(60)
    assert time.monotonic() - began < 20
    # Twice, and each time with the question what it is; the library may try without encryption as well.
    assert server.end() <= 8
    assert "hunter2" not in str(caught.value)
    assert capsys.readouterr().err == ""


def test_the_last_reason_is_said_when_the_time_is_over(
    free_port: int, point_to: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    point_to(free_port)
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=r"Connection refused; waited 0\.5 s for it") as caught:
        wait_for_database(0.5)
    assert 0.4 < time.monotonic() - started < 5
    assert caught.value.exit_code == 6
    assert "hunter2" not in str(caught.value) + capsys.readouterr().err


@pytest.mark.long
def test_a_server_that_says_nothing_costs_no_more_than_the_time(point_to: Callable[..., None]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        point_to(silent.getsockname()[1])
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="timeout expired; waited 1 s"):
            wait_for_database(1)
        assert time.monotonic() - started < 8


def test_ctrl_c_ends_the_wait(free_port: int, point_to: Callable[..., None]) -> None:
    point_to(free_port)
    started = time.monotonic()
    with ctrl_c(), pytest.raises(KeyboardInterrupt):
        wait_for_database(60)
    assert time.monotonic() - started < 5


def test_the_setting_is_the_default_and_the_option_wins(
    free_port: int, point_to: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(free_port)
    monkeypatch.setenv("APP_DATABASE_WAIT", "0.2")
    with pytest.raises(DatabaseUnavailable, match=r"waited 0\.2 s"):
        wait_for_database()
    wait_for_database(0)


def test_a_quiet_wait_says_nothing(
    free_port: int, point_to: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    point_to(free_port)
    with pytest.raises(DatabaseUnavailable):
        wait_for_database(0.2, quiet=True)
    assert capsys.readouterr().err == ""


def test_nobody_waits_for_a_file(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////no/such/folder/x.db")
    wait_for_database(60)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 86_401])
def test_a_wait_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="a wait lasts up to 86400 seconds"):
        wait_for_database(seconds)


@pytest.mark.parametrize("option", ["port=soon", "connect_timeout=soon", "sslmode=bogus"])
def test_a_wrong_option_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u@127.0.0.1:1/d?{option}")
    started = time.monotonic()
    with pytest.raises((ConfigurationError, DatabaseUnavailable), match=r"soon|bogus"):
        wait_for_database(60)
    assert time.monotonic() - started < 10
