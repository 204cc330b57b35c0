"""The seed engine: seed data as versioned Alembic revisions, so that rollback is a downgrade.

An application declares its seed sets in a SeedCatalog. Its `env.py` gives `**options(seeds)` to
`context.configure`, and runs its migrations inside of `begin(context)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedrail import failures
    from seedrail.commands.cli import add_commands
    from seedrail.documents.faults import DocumentError
    from seedrail.documents.sets import SeedCatalog, SeedRow, SeedSet
    from seedrail.documents.texts import name_problem
    from seedrail.errors import (
        ChangeFileError,
        Deadlock,
        HistoryError,
        LockTimeout,
        OptionError,
        RailError,
        SeedError,
        SetupError,
        StateError,
    )
    from seedrail.failures import DatabaseFailure, failure_of, named_failures
    from seedrail.history.history import SEED_BASE
    from seedrail.history.rail import Rail
    from seedrail.integration import operations
    from seedrail.integration.drift import report_drift
    from seedrail.integration.plugin import begin, options
    from seedrail.merge.database.standins import StandIn
    from seedrail.merge.report.conflicts import ConflictError
    from seedrail.quoting import defused, harmless, quoted, said, shown
    from seedrail.run_options import Policy, RunOptions
    from seedrail.schema.identity import seed_id
    from seedrail.schema.tables import SeedTable
    from seedrail.schema.types import canonical_timestamp

__all__ = [
    "SEED_BASE",
    "ChangeFileError",
    "ConflictError",
    "DatabaseFailure",
    "Deadlock",
    "DocumentError",
    "HistoryError",
    "LockTimeout",
    "OptionError",
    "Policy",
    "Rail",
    "RailError",
    "RunOptions",
    "SeedCatalog",
    "SeedError",
    "SeedRow",
    "SeedSet",
    "SeedTable",
    "SetupError",
    "StandIn",
    "StateError",
    "add_commands",
    "begin",
    "canonical_timestamp",
    "defused",
    "failure_of",
    "failures",
    "harmless",
    "name_problem",
    "named_failures",
    "operations",
    "options",
    "quoted",
    "report_drift",
    "said",
    "seed_id",
    "shown",
]

_HOMES = {
    "ChangeFileError": "errors",
    "ConflictError": "merge.report.conflicts",
    "DatabaseFailure": "failures",
    "Deadlock": "errors",
    "DocumentError": "documents.faults",
    "HistoryError": "errors",
    "LockTimeout": "errors",
    "OptionError": "errors",
    "Policy": "run_options",
    "Rail": "history.rail",
    "RailError": "errors",
    "RunOptions": "run_options",
    "SEED_BASE": "history.history",
    "SeedCatalog": "documents.sets",
    "SeedError": "errors",
    "SeedRow": "documents.sets",
    "SeedSet": "documents.sets",
    "SeedTable": "schema.tables",
    "SetupError": "errors",
    "StandIn": "merge.database.standins",
    "StateError": "errors",
    "add_commands": "commands.cli",
    "begin": "integration.plugin",
    "canonical_timestamp": "schema.types",
    "defused": "quoting",
    "failure_of": "failures",
    "harmless": "quoting",
    "name_problem": "documents.texts",
    "named_failures": "failures",
    "operations": "integration.operations",
    "options": "integration.plugin",
    "quoted": "quoting",
    "report_drift": "integration.drift",
    "said": "quoting",
    "seed_id": "schema.identity",
    "shown": "quoting",
}


def __getattr__(name: str) -> Any:
    """The modules are imported when somebody asks for what they hold: `alembic current` needs few of them."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    module = import_module(f"{__name__}.{home}")
    # What revisions import, so that `op` knows the seeds' operations, is a module.
    return module if home.endswith(f".{name}") else getattr(module, name)
