"""Fixtures: each database in turn, a copy of the project to edit, and the real commands as processes."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.support.databases import DATABASES, Database, Servers
from tests.support.project import Project

COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}
# The quick profile is the same every time, and does not shrink: that takes minutes of migrations.
settings.register_profile(
    "quick", max_examples=3, derandomize=True, phases=[Phase.explicit, Phase.generate], **COMMON
)
settings.register_profile("search", max_examples=150, phases=[Phase.explicit, Phase.generate], **COMMON)
# Of each law, on each kind of database: thousands in all, and an hour.
settings.register_profile("long", max_examples=500, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_configure() -> None:
    """Signals are tried, also by tests that run in the background or under nohup, where nobody heeds them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header() -> str:
    """Which servers and clients this run uses."""
    return Servers.describe()


LEFT_OUT = pytest.StashKey[int]()
_WORKER_SAYS = "left out"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test that waits for a process or a server leaves its core to it."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is alone with it in the end.

    A test that is `long_on` an engine is long there; the others try the same in `make test`.
    """
    for item in items:
        engines = [name for marker in item.iter_markers("long_on") for name in marker.args]
        if engines and {*engines} & {*item.callspec.id.split("-")}:
            item.add_marker("long")
    items.sort(key=lambda item: "early" not in item.keywords)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what `-m "not long"` leaves out; with pytest-xdist, in each worker."""
    if not items:
        return
    config = items[0].config
    config.stash[LEFT_OUT] = left_out = sum("long" in item.keywords for item in items)
    if hasattr(config, "workeroutput"):
        config.workeroutput[_WORKER_SAYS] = left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has collected what all of them have."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get(_WORKER_SAYS, 0)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Nothing is left out silently."""
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} long tests were left out: `make test-rest` runs them")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The PostgreSQL server of this process, started when the first test needs it."""
    with Servers() as running:
        yield running


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """An empty database, of each kind in turn."""
    with servers.database(request.param, tmp_path) as fresh:
        yield fresh


@pytest.fixture
def sqlite(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database, for what does not depend on the kind."""
    with servers.database("sqlite", tmp_path) as fresh:
        yield fresh


@pytest.fixture
def postgresql(servers: Servers, tmp_path: Path) -> Iterator[Database]:
    """An empty PostgreSQL database, for what only it does."""
    with servers.database("postgresql", tmp_path) as fresh:
        yield fresh


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    """A copy of the project on an empty database of each kind in turn."""
    return Project.copy_to(tmp_path / "project", database)


@pytest.fixture
def sqlite_project(sqlite: Database, tmp_path: Path) -> Project:
    """A copy of the project on an empty SQLite database."""
    return Project.copy_to(tmp_path / "project", sqlite)


@pytest.fixture
def postgresql_project(postgresql: Database, tmp_path: Path) -> Project:
    """A copy of the project on an empty PostgreSQL database."""
    return Project.copy_to(tmp_path / "project", postgresql)
