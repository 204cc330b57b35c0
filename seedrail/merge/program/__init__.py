"""A move as one SQL program: resolve, check, settle, apply, arrived, record; the same online and offline.

Each stage yields statements for tables that are staged already. Nothing here runs anything, and no statement
walks live rows one by one.
"""

from seedrail.merge.program.apply import apply
from seedrail.merge.program.arrived import arrived
from seedrail.merge.program.check import check
from seedrail.merge.program.differ import ADOPTED, DELETED, EDITED, KEPT, differing_rows
from seedrail.merge.program.parts import Plan, Statement, conflicts, parents_of
from seedrail.merge.program.record import record, recorded
from seedrail.merge.program.references import deciding, pointing_rows
from seedrail.merge.program.resolve import resolve
from seedrail.merge.program.standins import uncovered_stand_ins

__all__ = [
    "ADOPTED",
    "DELETED",
    "EDITED",
    "KEPT",
    "Plan",
    "Statement",
    "apply",
    "arrived",
    "check",
    "conflicts",
    "deciding",
    "differing_rows",
    "parents_of",
    "pointing_rows",
    "record",
    "recorded",
    "resolve",
    "uncovered_stand_ins",
]
