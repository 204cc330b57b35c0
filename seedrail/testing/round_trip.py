"""Whether a history's seeds leave a database as they found it: up and down at once, and one by one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alembic.util import CommandError
from sqlalchemy.engine import Connection

from seedrail.errors import FAULT_LIMIT
from seedrail.history.history import SEED_BASE
from seedrail.quoting import numbered
from seedrail.schema.tables import FrozenTable
from seedrail.testing.content import Content, content_of, differences
from seedrail.testing.databases import SeedDatabase


def assert_round_trip(
    database: SeedDatabase, rows: Callable[[Connection], object] | None = None, *, steps: bool = True
) -> None:
    """Assert that the seeds go up and down again on a database, and leave every row as it was.

    The database is an empty one: it is brought to the newest schema without seeds, `rows` writes what people
    have there, the seeds are applied and taken back at once, and then, unless `steps` says no, one by
    one. At the head `alembic check` must be clean, and both ways up must end alike. AssertionError names the
    table, row and column of each difference, or says why a command was refused.
    """
    _Trip(database).run(rows, steps=steps)


class _Trip:
    def __init__(self, database: SeedDatabase) -> None:
        self.database = database
        self.rail = database.rail
        self.theirs: Content = {}

    def run(self, rows: Callable[[Connection], object] | None, *, steps: bool) -> None:
        # Not by way of the head: what a first rollback leaves behind would be taken for people's.
        for revision in (*self.rail.schema_heads(), SEED_BASE):
            self._do("upgrade", revision)
        if rows is not None:
            with self.database.connect() as connection:
                rows(connection)
        self.theirs = before = self._content()
        self._do("upgrade", "heads")
        self._do("check")
        top = self._content()
        self._do("downgrade", SEED_BASE)
        self._compare(f"after upgrade heads and downgrade {SEED_BASE}", before, {})
        if steps:
            self._step(before, top)

    def _step(self, below: Content, top: Content) -> None:
        for one in self.rail.revisions:
            self._do("upgrade", one.revision)
            self._do("downgrade", one.parent)
            tables = self.rail.tables_at(one.parent)
            self._compare(f"after upgrade {one.revision} and downgrade {one.parent}", below, tables)
            self._do("upgrade", one.revision)
            below = self._content()
        tables = self.rail.tables_at(self.rail.head)
        self._compare("after upgrades one by one, and not by all at once,", top, tables)

    def _content(self) -> Content:
        with self.database.connect() as connection:
            return content_of(connection, [self.database.version_table])

    def _do(self, name: str, *arguments: str) -> None:
        typed = " ".join(["alembic", name, *arguments])
        try:
            getattr(self.database, name)(*arguments)
        except CommandError as error:
            raise AssertionError(f"{typed}: {error}") from error
        except SystemExit as ended:
            # The application's env.py takes itself for a command's, and has said why.
            raise AssertionError(f"{typed}: env.py ended with {ended.code} and a message") from ended

    def _compare(self, when: str, before: Content, tables: Mapping[str, FrozenTable]) -> None:
        theirs: Any = self.theirs if tables else None
        found = list(differences(before, self._content(), tables or self._last(), theirs))
        if found:
            raise AssertionError(_report(when, found))

    def _last(self) -> Mapping[str, FrozenTable]:
        return self.rail.tables_at(self.rail.head)


def _report(when: str, found: Sequence[str]) -> str:
    more = [f"… and {len(found) - FAULT_LIMIT:,} more"] if len(found) > FAULT_LIMIT else []
    lines = "\n".join(f"  {line}" for line in (*found[:FAULT_LIMIT], *more))
    return f"{when} the database is another: {numbered(len(found), 'difference')}\n{lines}"
