"""Commands beside Alembic's own: functions that return values, their renderers, and the command line."""

from seedrail.commands.history.show import Cell, RevisionDiff, RowDiff, show
from seedrail.commands.project import rail_of

__all__ = ["Cell", "RevisionDiff", "RowDiff", "rail_of", "show"]
