"""Whether a database is what its seed revisions say: their digests, and every seeded row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from seedrail.integration.look.looking import Heads, looking
from seedrail.integration.run import SeedRun
from seedrail.merge.report.as_left import AsLeft
from seedrail.merge.report.differing import DifferentRow
from seedrail.merge.report.drift import different_rows, tables_as_left


@dataclass(frozen=True)
class Verified:
    """What was found: `revisions` have the digests that they pin, `rows` are not as the seed left them."""

    heads: Heads
    revisions: tuple[str, ...]
    rows: tuple[DifferentRow, ...]


@dataclass(frozen=True)
class Glance:
    """The same without the rows: how many of each table are to the letter what the seed left."""

    heads: Heads
    revisions: tuple[str, ...]
    tables: tuple[AsLeft, ...]


def verifier(found: list[Verified]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that verifies the history and compares the rows.

    A change file that is not as it was pinned, and a ledger of another history, is an error.
    """
    return looking(_verify, found)


def glancer(found: list[Glance]) -> Callable[..., list[Any]]:
    """A function that verifies the history as well, and counts the rows that are as they were seeded."""
    return looking(_glance, found)


def _verify(run: SeedRun, connection: Connection, heads: Heads) -> Verified:
    revisions = _verified(run)
    return Verified(heads, revisions, tuple(different_rows(connection, run.rail, quiet=run.options.quiet)))


def _glance(run: SeedRun, connection: Connection, heads: Heads) -> Glance:
    revisions = _verified(run)
    return Glance(heads, revisions, tuple(tables_as_left(connection, run.rail, quiet=run.options.quiet)))


def _verified(run: SeedRun) -> tuple[str, ...]:
    run.rail.verify(run.rail.revisions)
    return tuple(one.revision for one in run.rail.revisions)
