"""What commands see of a database through env.py: they take no locks, and what they write is taken back."""

from seedrail.integration.look.blame import Blame, CellBlame, Met, blamer, said
from seedrail.integration.look.rows import Glance, Verified, glancer, verifier
from seedrail.integration.look.status import SetStatus, Status, teller
from seedrail.integration.look.way import Way, looker

__all__ = [
    "Blame",
    "CellBlame",
    "Glance",
    "Met",
    "SetStatus",
    "Status",
    "Verified",
    "Way",
    "blamer",
    "glancer",
    "looker",
    "said",
    "teller",
    "verifier",
]
