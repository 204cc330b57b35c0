"""What the engine refuses, and how it says so: what failed, what that means, what to do next."""

from collections.abc import Sequence

from alembic.util import CommandError

from seedrail.quoting import defused, one_line, shown

FAULT_LIMIT = 25
"""How many faults or conflicts a report lists; the total is always given."""


class SeedError(CommandError):
    """The base: Alembic reports a CommandError as a message, and nothing has been written."""

    exit_code = 1
    """What a command ends with."""

    def __init__(self, message: str) -> None:
        super().__init__(defused(message))


class SetupError(SeedError):
    """The project is wired wrongly: a missing hook, an impossible seed table."""


class OptionError(SeedError):
    """An option of a run does not exist, or has a value that it cannot have."""

    exit_code = 2


class ChangeFileError(SeedError):
    """A change file is missing, altered, malformed, or was made from another parent."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        self.file, self.problem, self.remedy = file, problem, remedy
        super().__init__(f"{shown(file)}: {one_line(problem)}; nothing was written\n  {remedy}")


class HistoryError(SeedError):
    """A revision file is missing, broken, or there twice: the history cannot be read."""


class RailError(SeedError):
    """The revisions do not stand on two rails: a line of seed revisions, and the schema's beside it."""


class StateError(SeedError):
    """The ledger's record of what was applied does not fit the history at hand."""


class LockTimeout(SeedError):
    """Another run holds the lock for longer than this one may wait."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        waited = "" if seconds is None else f" after {seconds:g} s"
        super().__init__(
            "another migration run, or a transaction that wrote to these tables, holds the lock;"
            f" gave up{waited}, nothing was written\n"
            "  wait for it to end and run the same command again, or raise the lock timeout"
        )


class HiddenRows(SeedError):
    """Rows may point at what a run would delete or change, and its role may not look at them."""

    exit_code = 6

    def __init__(self, table: str, reference: object) -> None:
        self.table, self.reference = table, reference
        super().__init__(
            f"rows of {shown(reference)} may point at rows of {shown(table)}, and this role may not read"
            " them; nothing was written\n"
            "  grant it SELECT on that table and USAGE on its schema, or run as a role that has both"
        )


class Deadlock(SeedError):
    """The run and somebody's transaction waited for each other, and the database ended the run."""

    def __init__(self) -> None:
        super().__init__(
            "the run and another transaction waited for each other, and the database ended the run;"
            " nothing was written\n  run the same command again"
        )


class RowSecurity(SeedError):
    """Policies may hide rows of tables that a move must see whole."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tuple(tables)
        named = ("tables " if len(self.tables) > 1 else "table ") + ", ".join(map(shown, self.tables))
        super().__init__(
            f"row security hides rows of the {named} from this role, and a run must see them all;"
            " nothing was written\n"
            "  run it as a superuser or a role with BYPASSRLS; the tables' owner can do so after"
            " ALTER TABLE … NO FORCE ROW LEVEL SECURITY"
        )
