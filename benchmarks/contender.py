"""What is measured: contenders with their starting state, and the task that a child process gets."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

KINDS = ("sqlite", "postgresql")

FILES = ("files",)
"""The kind of what needs no database: it reads documents and change files."""

Work = Callable[[], object]
"""What is timed; everything before it is preparation."""


@dataclass(frozen=True)
class Task:
    """One measurement: which contender on which database, and how many simulations it is about.

    `seeded` is a database that holds the whole seed already, to take finished rows from.
    """

    contender: str
    kind: str
    url: str
    seeded: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """The task as a child process reads it."""
        return asdict(self)

    @property
    def native(self) -> str:
        """The database as its own driver names it: a file, or a connection string."""
        return native(self.url)

    @property
    def native_seeded(self) -> str:
        """The same of the seeded database."""
        return native(self.seeded)


def scratch() -> Path:
    """A folder beside the databases that is gone when the process ends."""
    folder = tempfile.TemporaryDirectory(dir=os.curdir)
    _SCRATCH.append(folder)
    return Path(folder.name).absolute()


_SCRATCH: list[tempfile.TemporaryDirectory[str]] = []


def native(url: str) -> str:
    """A URL as the driver names it: a file for sqlite3, a connection string for psycopg."""
    parsed: URL = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(parsed.database)
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


@dataclass(frozen=True)
class Contender:
    """One way to do a piece of the work.

    `start` is the state of the database that it gets, `after` the one that it must leave; `limit` names the
    contender that its time is divided by. With `command` it is timed as a process, from start to end.
    """

    name: str
    group: str
    title: str
    prepare: Callable[[Task], Work] | None = None
    start: str = "schema"
    after: str | None = None
    limit: str | None = None
    kinds: tuple[str, ...] = KINDS
    tree: str = "plain"
    command: tuple[str, ...] = ()
    largest: int | None = None
    """The most simulations that it is tried with: it is too slow for more."""
    needs: tuple[str, ...] = ()
    """Modules of packages that only benchmarks use."""
    repeats: int = 1
    """How often a round measures it: short ones more often."""
    plotted: bool = True

    @property
    def writes(self) -> bool:
        """Whether it needs a database of its own."""
        return self.after is not None
