"""Where a database is: its revisions, what is pending, what the ledger remembers, and who holds it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.dialects import Holder, dialect_named
from seedrail.errors import SeedError
from seedrail.history.history import is_seed
from seedrail.integration.autogenerate import pending_changes
from seedrail.integration.look.looking import Heads, looking, named
from seedrail.integration.run import SeedRun
from seedrail.merge.decide.cells import is_text
from seedrail.merge.ledger import ABSENT, CUT, EXISTS, NO_ROW, OWNER, seed_claims, seed_state
from seedrail.merge.report.differing import DELETED, EDITED, Difference
from seedrail.merge.report.drift import differences


@dataclass(frozen=True)
class SetStatus:
    """A seed set: the revision whose rows it holds, since when, and whether it is left out of newer ones."""

    name: str
    revision: str
    left_out: bool
    since: datetime


@dataclass(frozen=True)
class Status:
    """A database and its history; `documents` are the changes that no revision ships yet, by kind.

    Where something could not be told, `unknown` says why: it is no reason not to tell the rest.
    """

    database: str
    environment: str
    heads: Heads
    schema: tuple[str, ...]
    seeds: tuple[str, ...]
    sets: tuple[SetStatus, ...]
    strayed: tuple[str, ...]
    documents: Counter[str]
    claims: Counter[tuple[str, str]]
    differences: tuple[Difference, ...]
    locks: tuple[Holder, ...]
    unknown: tuple[str, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether an upgrade, or a revision, has something to do."""
        return bool(self.schema or self.seeds or self.documents or self.strayed)

    @property
    def is_edited(self) -> bool:
        """Whether people edited or deleted seeded rows, and no policy has settled it."""
        return any(one.kind in (EDITED, DELETED) for one in self.differences)


def teller(found: list[Status]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that tells where the database is."""
    return looking(_status, found)


def _status(run: SeedRun, connection: Connection, heads: Heads) -> Status:
    applied = run.rail.history.applied(heads)
    pending = [one for one in run.rail.history.revisions if one.revision not in applied]
    unknown: list[str] = []
    states = list(connection.execute(sa.select(seed_state).order_by(seed_state.c.seed_set)))
    sets = [SetStatus(s.seed_set, s.revision, s.status == "left out", s.applied_at) for s in states]
    at = run.seed_revision(heads)
    tables = {table.name for table in run.rail.tables_at(run.rail.head).values()}
    return Status(
        named(connection),
        run.options.environment,
        heads,
        tuple(one.revision for one in pending if not is_seed(one)),
        tuple(one.revision for one in pending if is_seed(one)),
        tuple(sets),
        tuple(one.name for one in sets if not one.left_out and one.revision != at),
        Counter(_told(unknown, lambda: _documents(run))),
        _claims(connection),
        tuple(_told(unknown, lambda: differences(connection, run.rail, quiet=run.options.quiet))),
        tuple(dialect_named(connection.dialect.name).holders(connection, sorted(tables))),
        tuple(unknown),
    )


def _told(unknown: list[str], find: Callable[[], Iterable[Any]]) -> list[Any]:
    try:
        return list(find())
    except SeedError as error:
        unknown.append(str(error))
        return []


def _documents(run: SeedRun) -> Iterator[str]:
    pending = pending_changes(run)
    for change in pending.changes if pending else ():
        yield change.kind


def _claims(connection: Connection) -> Counter[tuple[str, str]]:
    """The claims by table and what they say."""
    c = seed_claims.c
    gone, owner = is_text(c.value, ABSENT), c.stands == OWNER
    of_row: Any = sa.case(
        (sa.and_(gone, owner), "row left gone"),
        (gone, "row brought back"),
        (owner, "row that is somebody's"),
        else_="row deleted with somebody's values",
    )
    of_cell: Any = sa.case((c.stands == CUT, "link cut"), (owner, "value kept"), else_="value overwritten")
    what = sa.case((c.column_name == EXISTS, of_row), else_=of_cell).label("what")
    claims = (
        sa.select(c.table_name, what).where(c.seed_id != sa.literal(NO_ROW, sa.Uuid())).subquery("claims")
    )
    counted = sa.select(claims.c.table_name, claims.c.what, sa.func.count())
    rows = connection.execute(counted.group_by(claims.c.table_name, claims.c.what))
    return Counter({(table, what): number for table, what, number in rows})
