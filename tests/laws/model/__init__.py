"""The merge without a database: what a move does to rows and claims, in plain dictionaries.

It is the specification (docs/explanation/merge.md tells it in words), and the oracle that the engine is held
against. Nothing here is fast. Read it in this order: `history`, `claims`, `cells`, `rows`, `links`, `move`.
"""

from tests.laws.model.cells import Conflict
from tests.laws.model.claims import Base, Claim, Stands
from tests.laws.model.history import ABSENT, EXISTS, PRESENT, History, Link, Table
from tests.laws.model.move import RefusedError, move

__all__ = [
    "ABSENT",
    "EXISTS",
    "PRESENT",
    "Base",
    "Claim",
    "Conflict",
    "History",
    "Link",
    "RefusedError",
    "Stands",
    "Table",
    "move",
]
