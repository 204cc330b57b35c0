"""What an Alembic project needs for seeds: found, planned as edits of its files, and written at once."""

from seedrail.integration.setup.edits import BY_HAND, MADE, THERE, Edit, Piece
from seedrail.integration.setup.plan import Setup, planned, write

__all__ = ["BY_HAND", "MADE", "THERE", "Edit", "Piece", "Setup", "planned", "write"]
