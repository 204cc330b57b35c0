"""Whether a database is what its seed revisions say: their digests, and every seeded row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from seedrail.integration.look.looking import Heads, looking
from seedrail.integration.run import SeedRun
from seedrail.merge.report.drift import DifferentRow, different_rows


@dataclass(frozen=True)
class Verified:
    """What was found: `revisions` have the digests that they pin, `rows` are not as the seed left them."""

    heads: Heads
    revisions: tuple[str, ...]
    rows: tuple[DifferentRow, ...]


def verifier(found: list[Verified]) -> Callable[..., list[Any]]:
    """A function for Alembic's environment that verifies the history and compares the rows.

    A change file that is not as it was pinned, and a ledger of another history, is an error.
    """
    return looking(_verify, found)


def _verify(run: SeedRun, connection: Connection, heads: Heads) -> Verified:
    run.rail.verify(run.rail.revisions)
    rows = different_rows(connection, run.rail, quiet=run.options.quiet)
    return Verified(heads, tuple(one.revision for one in run.rail.revisions), tuple(rows))
