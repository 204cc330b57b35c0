"""Whether a project and its database are ready for seeds: one finding a question, each with what to do."""

from seedrail.integration.health.environment import examiner, tables_teller
from seedrail.integration.health.files import of_files
from seedrail.integration.health.findings import FAULT, OK, WARNING, Finding, fault
from seedrail.integration.health.tables import Column, Seedable, seedable

__all__ = [
    "FAULT",
    "OK",
    "WARNING",
    "Column",
    "Finding",
    "Seedable",
    "examiner",
    "fault",
    "of_files",
    "seedable",
    "tables_teller",
]
