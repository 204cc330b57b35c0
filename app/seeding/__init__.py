"""The seed engine: seed data as versioned Alembic revisions, so that rollback is a downgrade.

It knows nothing of the application's features. An application declares its seed sets in a SeedCatalog, and
its `env.py` passes `configure_options()` to Alembic and calls `attach()` and `lock()`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.seeding.conflicts import ConflictError
    from app.seeding.errors import (
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
    from app.seeding.failures import DatabaseFailure, named_failures
    from app.seeding.faults import DocumentError
    from app.seeding.history import SEED_BASE
    from app.seeding.identity import seed_id
    from app.seeding.options import Policy, RunOptions
    from app.seeding.plugin import attach, configure_options, lock
    from app.seeding.rail import Rail
    from app.seeding.sets import SeedCatalog, SeedRow, SeedSet
    from app.seeding.standins import StandIn
    from app.seeding.tables import SeedTable
    from app.seeding.texts import name_problem
    from app.seeding.types import canonical_timestamp

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
    "attach",
    "canonical_timestamp",
    "configure_options",
    "lock",
    "name_problem",
    "named_failures",
    "seed_id",
]

_HOMES = {
    "ChangeFileError": "errors",
    "ConflictError": "conflicts",
    "DatabaseFailure": "failures",
    "Deadlock": "errors",
    "DocumentError": "faults",
    "HistoryError": "errors",
    "LockTimeout": "errors",
    "OptionError": "errors",
    "Policy": "options",
    "Rail": "rail",
    "RailError": "errors",
    "RunOptions": "options",
    "SEED_BASE": "history",
    "SeedCatalog": "sets",
    "SeedError": "errors",
    "SeedRow": "sets",
    "SeedSet": "sets",
    "SeedTable": "tables",
    "SetupError": "errors",
    "StandIn": "standins",
    "StateError": "errors",
    "attach": "plugin",
    "canonical_timestamp": "types",
    "configure_options": "plugin",
    "lock": "plugin",
    "name_problem": "texts",
    "named_failures": "failures",
    "seed_id": "identity",
}


def __getattr__(name: str) -> Any:
    """The modules are imported when somebody asks for what they hold: `alembic current` needs few of them."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)
