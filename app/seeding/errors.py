"""What the engine refuses, and how it says so: what failed, what that means, what to do next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alembic.util import CommandError

if TYPE_CHECKING:
    from app.seeding.conflicts import Conflict
    from app.seeding.faults import Fault

FAULT_LIMIT = 25
"""How many faults or conflicts a report lists; the total is always given."""


class SeedError(CommandError):
    """The base: Alembic reports a CommandError as a message, and nothing has been written."""


class SetupError(SeedError):
    """The project is wired wrongly: a missing hook, an impossible seed table."""


class OptionError(SeedError):
    """An option of a run does not exist, or has a value that it cannot have."""


class DocumentError(SeedError):
    """Seed documents have faults; holds all of them, lists them up to a limit."""

    def __init__(self, faults: Sequence["Fault"]) -> None:
        self.faults = tuple(faults)
        files = ", ".join(dict.fromkeys(fault.file for fault in self.faults))
        count = len(self.faults)
        lines = [f"{count} fault{'s' * (count > 1)} in {files}; nothing was written"]
        lines += [f"  {fault}" for fault in self.faults[:FAULT_LIMIT]]
        if count > FAULT_LIMIT:
            lines.append(f"  … and {count - FAULT_LIMIT} more")
        super().__init__("\n".join(lines))


class ChangeFileError(SeedError):
    """A change file is missing, altered, malformed, or was made from another parent."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        self.file, self.problem, self.remedy = file, problem, remedy
        super().__init__(f"{file}: {problem}; nothing was written\n  {remedy}")


class RailError(SeedError):
    """The seed revisions do not form one line from seed_base to a head."""


class StateError(SeedError):
    """The ledger's record of what was applied does not fit the history at hand."""


class LockTimeout(SeedError):
    """Another run holds the lock for longer than this one may wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            f"another migration run holds the lock; gave up after {seconds:g} s, nothing was written\n"
            "  wait for it to end and run the same command again, or raise the lock timeout"
        )


class ConflictError(SeedError):
    """Live rows differ from what the seed expects; holds the conflicts listed and the total."""

    def __init__(self, conflicts: Sequence["Conflict"], total: int) -> None:
        self.conflicts, self.total = tuple(conflicts), total
        lines = [
            f"the database differs from what the seed expects: {total}"
            f" conflict{'s' * (total > 1)}; nothing was written",
            "  somebody edited, added, deleted or linked to these rows, and the seed will not undo that:",
            *(f"  - {conflict}" for conflict in self.conflicts),
        ]
        if total > len(self.conflicts):
            lines.append(f"  … and {total - len(self.conflicts)} more")
        lines += [
            "  make the rows and the seed agree, then run the same command again; or choose another policy:",
            "    -x seed_conflict=keep       the rows stay as they are, and the ledger remembers it",
            "    -x seed_conflict=overwrite  the seed's values win, and the ledger keeps what was there;"
            " rows that others point at stay",
            "    -x seed_conflict=abort      nothing is written, as now",
        ]
        super().__init__("\n".join(lines))
