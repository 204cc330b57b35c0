"""The rail of seed revisions beside the schema's: its line, its places, its heads, and what is in its way."""

from seedrail.history.rail.line import ORPHAN, RESTORE_OR_DELETE, Rail
from seedrail.history.squash.seeds import SeedRevision

__all__ = ["ORPHAN", "RESTORE_OR_DELETE", "Rail", "SeedRevision"]
