"""Where people changed what was seeded: told after a run, or by `alembic check`."""

from sqlalchemy.engine import Connection

from seedrail.history.rail import Rail


def report_drift(connection: Connection, rail: Rail, level: int, *, quiet: bool = True) -> None:
    """Log, at a level of `logging`, which seeded rows were edited or deleted since; writes nothing.

    Unless it is quiet, it shows its progress.
    """
    # What only a comparison needs takes a while to import.
    from seedrail.merge.report import drift

    drift.report(lambda: drift.differences(connection, rail, quiet=quiet), level)
