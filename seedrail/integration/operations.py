"""Alembic operations of the seed rail: what revisions call, and what autogenerate and check compare."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import OpContainer, UpgradeOps

from seedrail.history.changefile import write
from seedrail.history.changes import Change, State
from seedrail.integration.run import SeedRun, create_ledger, drop_ledger
from seedrail.merge.ledger import LEDGER_VERSION
from seedrail.quoting import shown
from seedrail.schema.tables import FrozenTable

LISTED = 5
"""How many pending rows `alembic check` names for each table."""


log = logging.getLogger(__name__)


@Operations.register_operation("upgrade_seeds")
class UpgradeSeedsOp(MigrateOperation):
    """`op.upgrade_seeds(revision)`: bring the seed rows to this revision, or let the run's move do so."""

    def __init__(self, revision: str) -> None:
        self.revision = revision

    @classmethod
    def upgrade_seeds(cls, operations: Operations, revision: str) -> None:
        """Called by a seed revision's `upgrade()`."""
        operations.invoke(cls(revision))

    def reverse(self) -> "DowngradeSeedsOp":
        """The operation that takes this one back."""
        return DowngradeSeedsOp(self.revision)


@Operations.register_operation("downgrade_seeds")
class DowngradeSeedsOp(MigrateOperation):
    """`op.downgrade_seeds(revision)`: take the seed rows back from this revision to the one before."""

    def __init__(self, revision: str) -> None:
        self.revision = revision

    @classmethod
    def downgrade_seeds(cls, operations: Operations, revision: str) -> None:
        """Called by a seed revision's `downgrade()`."""
        operations.invoke(cls(revision))

    def reverse(self) -> UpgradeSeedsOp:
        """The operation that takes this one back."""
        return UpgradeSeedsOp(self.revision)


@Operations.register_operation("create_seed_ledger")
class CreateSeedLedgerOp(MigrateOperation):
    """`op.create_seed_ledger()`: the engine's own tables; the work of `seed_base`."""

    def __init__(self, version: int) -> None:
        self.version = version

    @classmethod
    def create_seed_ledger(cls, operations: Operations, version: int = LEDGER_VERSION) -> None:
        """Called by the `upgrade()` of `seed_base`."""
        operations.invoke(cls(version))


@Operations.register_operation("drop_seed_ledger")
class DropSeedLedgerOp(MigrateOperation):
    """`op.drop_seed_ledger()`: drop the engine's own tables."""

    def __init__(self, version: int) -> None:
        self.version = version

    @classmethod
    def drop_seed_ledger(cls, operations: Operations, version: int = LEDGER_VERSION) -> None:
        """Called by the `downgrade()` of `seed_base`."""
        operations.invoke(cls(version))


@Operations.implementation_for(UpgradeSeedsOp)
def _upgrade(operations: Operations, operation: UpgradeSeedsOp) -> None:
    SeedRun.of(operations.migration_context).step(operation.revision, upgrade=True)


@Operations.implementation_for(DowngradeSeedsOp)
def _downgrade(operations: Operations, operation: DowngradeSeedsOp) -> None:
    SeedRun.of(operations.migration_context).step(operation.revision, upgrade=False)


@Operations.implementation_for(CreateSeedLedgerOp)
def _create(operations: Operations, operation: CreateSeedLedgerOp) -> None:
    SeedRun.of(operations.migration_context)
    create_ledger(operations.migration_context, operation.version)


@Operations.implementation_for(DropSeedLedgerOp)
def _drop(operations: Operations, operation: DropSeedLedgerOp) -> None:
    drop_ledger(operations.migration_context, operation.version)


@dataclass
class PendingSeedsOp(MigrateOperation):
    """Changes of the seed documents that no revision ships yet; becomes a seed revision of its own."""

    changes: Sequence[Change]
    tables: dict[str, FrozenTable]
    before: State
    """The seed state that the changes start from, for naming rows."""

    def reverse(self) -> "PendingSeedsOp":
        """The same changes, taken back."""
        inverse = [change.inverse() for change in self.changes]
        return PendingSeedsOp(inverse, self.tables, self.before)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` prints of it: a count and the first rows of each table."""
        return ("pending_seed_changes", *self.summary())

    def summary(self) -> list[str]:
        """A sentence for each table that has changes."""
        lines: list[str] = []
        for table in dict.fromkeys(change.table for change in self.changes):
            changes = [change for change in self.changes if change.table == table]
            kinds = Counter(change.kind for change in changes)
            counts = ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in sorted(kinds.items()))
            named = ", ".join(sorted(map(self._name, changes))[:LISTED])
            more = f", … and {len(changes) - LISTED} more" if len(changes) > LISTED else ""
            lines.append(f"{shown(table)}: {counts} ({named}{more})")
        return lines

    def _name(self, change: Change) -> str:
        row = self.before.get(change.table, {}).get(change.id) or change.new or {}
        table = self.tables.get(change.table)
        keys = [key for key in table.key if key not in table.foreign_keys] if table else []
        # Quoted where a space would make two of one, or where it is long: the list is to be skimmed.
        parts = [shown(row[key], apart=" ", limit=60) for key in keys if key in row]
        name = " ".join(parts) or change.id
        columns = (
            f" {'/'.join(map(shown, change.new))}"
            if change.kind in ("update", "return") and change.new
            else ""
        )
        return f"{change.kind} {name}{columns}"


class GeneratedSeedsOp(UpgradeSeedsOp):
    """An `upgrade_seeds` that is being generated: rendering it writes its change file.

    `alembic check` renders nothing, so it writes nothing either.
    """

    def __init__(self, revision: str, path: Path, content: bytes, summary: Sequence[str]) -> None:
        super().__init__(revision)
        self.path, self.content, self.summary = path, content, tuple(summary)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` prints: the changes that no revision ships."""
        return ("pending_seed_changes", *self.summary)


class SchemaDiffs(OpContainer):
    """The schema's changes once more, on the seed revision that follows them: they render to nothing.

    `alembic check` looks at the last script of a run alone; through this it sees the schema's too.
    """


@renderers.dispatch_for(SchemaDiffs)
def _render_schema(context: AutogenContext, operation: SchemaDiffs) -> list[str]:
    return []


@renderers.dispatch_for(GeneratedSeedsOp)
def _render_generated(context: AutogenContext, operation: GeneratedSeedsOp) -> list[str]:
    write(operation.path, operation.content)
    for line in operation.summary:
        log.info("%s: %s", operation.revision, line)
    return ["op.upgrade_seeds(revision)"]


@renderers.dispatch_for(DowngradeSeedsOp)
def _render_downgrade(context: AutogenContext, operation: DowngradeSeedsOp) -> list[str]:
    return ["op.downgrade_seeds(revision)"]


@renderers.dispatch_for(PendingSeedsOp)
def _render_pending(context: AutogenContext, operation: PendingSeedsOp) -> list[str]:
    # Shown where the operation is rendered by itself (a test that expects an empty revision).
    return [f"# pending seed changes: {line}" for line in operation.summary()]


def schema_ops(upgrade_ops: UpgradeOps) -> list[MigrateOperation]:
    """The operations that are not the seeds'."""
    return [one for one in upgrade_ops.ops if not isinstance(one, PendingSeedsOp)]
