"""The seed engine: seed data as versioned Alembic revisions, so that rollback is a downgrade.

It knows nothing of the application's features. An application declares its seed sets in a SeedCatalog, and
its `env.py` passes `configure_options()` to Alembic and calls `attach()` and `lock()`.
"""

from app.seeding.conflicts import ConflictError
from app.seeding.errors import (
    ChangeFileError,
    Deadlock,
    LockTimeout,
    OptionError,
    RailError,
    SeedError,
    SetupError,
    StateError,
)
from app.seeding.faults import DocumentError
from app.seeding.identity import seed_id
from app.seeding.options import RunOptions
from app.seeding.plugin import attach, configure_options, lock
from app.seeding.program import Policy
from app.seeding.rail import SEED_BASE, Rail
from app.seeding.sets import SeedCatalog, SeedRow, SeedSet
from app.seeding.tables import SeedTable
from app.seeding.types import canonical_timestamp

__all__ = [
    "SEED_BASE",
    "ChangeFileError",
    "ConflictError",
    "Deadlock",
    "DocumentError",
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
    "StateError",
    "attach",
    "canonical_timestamp",
    "configure_options",
    "lock",
    "seed_id",
]
