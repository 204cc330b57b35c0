"""A move as one SQL program: resolve, check, settle, apply, arrived, record; the same online and offline.

Each stage yields statements for tables that are staged already. Nothing here runs anything, and no statement
walks live rows one by one.
"""

from app.seeding.program.apply import apply
from app.seeding.program.arrived import arrived
from app.seeding.program.check import check
from app.seeding.program.differ import ADOPTED, DELETED, EDITED, KEPT, differing_rows
from app.seeding.program.parts import Plan, Statement, conflicts, parents_of
from app.seeding.program.record import record, recorded
from app.seeding.program.references import deciding, pointing_rows
from app.seeding.program.resolve import resolve
from app.seeding.program.standins import uncovered_stand_ins

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
