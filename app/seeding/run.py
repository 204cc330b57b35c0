"""One Alembic run: which single move it makes, at which of its steps, and from which recorded state.

A run that passes several seed revisions makes one move to the last. On the way up the last seed step
makes it, when the schema is as far up as it gets; on the way down the first one does, for the same reason.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext, RevisionStep

from app.seeding.dialects import dialect_named
from app.seeding.errors import SetupError, StateError
from app.seeding.ledger import metadata, seed_state
from app.seeding.move import Move
from app.seeding.rail import SEED_BASE, Rail, is_seed
from app.seeding.sets import SeedCatalog

log = logging.getLogger(__name__)

_MEMO = "app.seeding.run"
_TALLIES = ("inserted", "updated", "deleted", "adopted")


@dataclass(frozen=True)
class _Journey:
    """The seed steps of a run: where it starts, where it ends, and the step that makes the move."""

    source: str
    target: str
    mover: str


class SeedRun:
    """The engine's part of one run of Alembic's environment."""

    def __init__(self, context: MigrationContext, catalog: SeedCatalog) -> None:
        if context.script is None:
            raise SetupError("seeds need Alembic's script directory; run them through its commands")
        self.context, self.catalog = context, catalog
        self.rail = Rail(context.script)
        self.journey: _Journey | None = None

    @classmethod
    def of(cls, context: MigrationContext) -> "SeedRun":
        """The run that `attach` put into a context; SetupError when env.py did not call it."""
        run = context.impl.memo.get(_MEMO)
        if not isinstance(run, cls):
            raise SetupError("migrations/env.py must call app.seeding.attach() after configure()")
        return run

    def attach(self) -> None:
        """Take part in the context's run: see its steps before it takes them."""
        self.context.impl.memo[_MEMO] = self
        command = self.context.opts.get("fn")
        if command is not None:
            # Alembic has no hook before the first step; the list of steps is what tells the target.
            self.context._migrations_fn = self._planned(command)

    def step(self, revision: str, *, upgrade: bool) -> None:
        """What a seed revision's upgrade() or downgrade() does: the run's move, or nothing."""
        if self.journey is None:
            raise SetupError(f"seed revision {revision} runs outside of an Alembic command")
        if revision == self.journey.mover:
            self._move(self._recorded(self.journey.source), self.journey.target)
        else:
            log.info(
                "%s is carried by the move from %s to %s",
                revision, self.journey.source, self.journey.target,
            )  # fmt: skip

    def _planned(self, command: Callable[..., Iterable[Any]]) -> Callable[..., Iterator[Any]]:
        def planned(heads: Sequence[str], context: MigrationContext) -> Iterator[Any]:
            steps = list(command(heads, context))
            self.journey = _journey(steps, self.rail)
            yield from steps
            if command.__name__ == "upgrade" and self.journey is None and not context.as_sql:
                self._catch_up()

        return planned

    def _catch_up(self) -> None:
        """Apply what Alembic believes to be applied: after a stamp, or a crash between two commits."""
        heads = self.context.get_current_heads()
        seeded = self._seed_revision(heads)
        if seeded is None:
            return
        recorded = self._recorded(seeded)
        behind = {name: at for name, at in recorded.items() if at != seeded}
        if behind:
            log.warning(
                "alembic_version says %s, but the ledger says %s: the version was stamped, or a run"
                " ended between two commits; applying what is missing",
                seeded, ", ".join(f"{name} at {at}" for name, at in sorted(behind.items())),
            )  # fmt: skip
            self._move(behind, seeded)

    def _seed_revision(self, heads: Sequence[str]) -> str | None:
        """The newest seed revision that the heads include, or None below seed_base."""
        if not heads or not self.rail.exists:
            return None
        applied = {
            script.revision
            for script in self.rail.scripts.iterate_revisions(tuple(heads), "base", inclusive=True)
        }
        if SEED_BASE not in applied:
            return None
        seeds = [one.revision for one in self.rail.revisions if one.revision in applied]
        return seeds[-1] if seeds else SEED_BASE

    def _sets(self, *revisions: str) -> set[str]:
        return {table.set for revision in revisions for table in self.rail.tables_at(revision).values()}

    def _recorded(self, assumed: str) -> dict[str, str]:
        """The seed state of every seed set: as recorded, or as assumed for a script."""
        names = self._sets(assumed, self.journey.target if self.journey else assumed)
        if self.context.as_sql or self.context.connection is None:
            return dict.fromkeys(names, assumed)
        recorded = dict.fromkeys(names, SEED_BASE)
        for row in self.context.connection.execute(sa.select(seed_state)):
            if row.sha256 != self.rail.sha256_of(row.revision):
                raise StateError(
                    f"the database holds seed set {row.seed_set!r} of a revision {row.revision} with"
                    " another content than this history's: the revision was made anew after it had"
                    " been applied\n"
                    "  downgrade to seed_base with the version of the project that applied it, then"
                    " upgrade with this one"
                )
            recorded[row.seed_set] = row.revision
        return recorded

    def _move(self, sources: dict[str, str], target: str) -> None:
        """Bring the sets to the target, those with the same source together."""
        moved: Counter[tuple[str, str]] = Counter()
        by_source = sorted((source, name) for name, source in sources.items() if source != target)
        for source, group in groupby(by_source, key=lambda entry: entry[0]):
            names = frozenset(name for _, name in group)
            move = Move(self.rail, source, target, names)
            moved += move.run(self.context)
        self._report(moved, target)

    def _report(self, moved: Counter[tuple[str, str]], target: str) -> None:
        if self.context.as_sql:
            return
        tables = sorted({table for tally, table in moved if tally in _TALLIES})
        for table in tables:
            counts = ", ".join(f"{moved[t, table]} {t}" for t in _TALLIES if moved[t, table])
            log.info("seeds at %s: %s: %s", target, table, counts)
        if not tables:
            log.info("seeds at %s: no row had to change", target)
        for (tally, table), count in sorted(moved.items()):
            if tally == "unlinked" and count:
                log.warning(
                    "%d link%s of seed rows to %s left empty: the row%s not in the database",
                    count, "s" * (count > 1), table, "s are" if count > 1 else " is",
                )  # fmt: skip


def _journey(steps: Sequence[Any], rail: Rail) -> _Journey | None:
    seeds = [s for s in steps if isinstance(s, RevisionStep) and is_seed(s.revision)]
    if not seeds:
        return None
    first, last = seeds[0].revision.revision, seeds[-1].revision.revision
    if seeds[0].is_upgrade:
        return _Journey(rail.parent_of(first), last, last)
    return _Journey(first, rail.parent_of(last), first)


def create_ledger(context: MigrationContext, version: int) -> None:
    """Create the ledger's tables, in the form of the version that a `seed_base` names."""
    _check_version(version)
    dialect_named(context.dialect.name)
    for table in metadata.sorted_tables:
        context.execute(sa.schema.CreateTable(table))


def drop_ledger(context: MigrationContext, version: int) -> None:
    """Drop the ledger's tables."""
    _check_version(version)
    for table in reversed(metadata.sorted_tables):
        context.execute(sa.schema.DropTable(table))


def _check_version(version: int) -> None:
    if version != 1:
        raise SetupError(f"this engine has no ledger of version {version}; it knows version 1")
