"""Conflicts between the seed and live rows: read back from a move, and put into words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from seedrail.errors import FAULT_LIMIT, SeedError
from seedrail.history.rownames import RowNames
from seedrail.merge.program import Plan, conflicts, pointing_rows
from seedrail.quoting import quoted, shown
from seedrail.run_options import Policy

NAMED = 3
"""How many of the rows that point at one are named."""


@dataclass(frozen=True)
class Conflict:
    """One disagreement. `row` is the seed row's name, ready to be shown; values are the database's text.

    `pointing` are the primary keys of the first rows that point at it, ready to be shown.
    """

    kind: str
    table: str
    row: str
    column: str
    wanted: str | None
    found: str | None
    pointing: tuple[str, ...] = ()

    def __str__(self) -> str:
        wanted, found = quoted(self.wanted), quoted(self.found)
        where, column = f"{shown(self.table)} {self.row}", shown(self.column)
        match self.kind:
            case "exists":
                return (
                    f"exists: {where} is there already with another {column}:"
                    f" the seed wants {wanted}, found {found}"
                )
            case "edited":
                return (
                    f"edited: {where}: {column} was changed to {found}, the seed wants to set it to {wanted}"
                )
            case "edited row":
                return (
                    f"edited: {where} would be deleted, but its {column} was changed from {wanted} to {found}"
                )
            case "edited before":
                return (
                    f"edited: {where} would be deleted, but somebody had set its {column} to"
                    f" {found} before the seed did"
                )
            case "deleted":
                return f"deleted: {where} is gone, and the seed wants to update it"
            case "referenced":
                count = int(self.found or 0)
                rows = "1 row" if count == 1 else f"{count} rows"
                verb = "points" if count == 1 else "point"
                named = ", ".join([*self.pointing, *(["…"] if count > len(self.pointing) else [])])
                ids = f" (id {named})" if self.pointing else ""
                key = shown(self.wanted)
                what = f"{where} would be deleted"
                if self.column:
                    what = f"{where}: its {column} would be changed"
                return f"referenced: {what}, but {rows} of {key} {verb} at it{ids}"
            case _:
                return f"unlinked: {where}: {column} leads to a row that is gone (id {shown(self.wanted)})"


class ConflictError(SeedError):
    """Live rows differ from what the seed expects; holds the conflicts listed and the total.

    `spelled` says an option in the words of whoever started the run.
    """

    def __init__(self, conflicts: Sequence[Conflict], total: int, spelled: Callable[[str, str], str]) -> None:
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
            *_policies(spelled),
        ]
        super().__init__("\n".join(lines))


_POLICIES = {
    Policy.KEEP: "the rows stay as they are, and the ledger remembers it",
    Policy.OVERWRITE: "the seed's values win, and the ledger keeps what was there;"
    " rows that others point at stay",
    Policy.ABORT: "nothing is written, as now",
}


def _policies(spelled: Callable[[str, str], str]) -> list[str]:
    said = {spelled("seed_conflict", policy): meaning for policy, meaning in _POLICIES.items()}
    width = max(map(len, said))
    return [f"    {option:{width}}  {meaning}" for option, meaning in said.items()]


def read_conflicts(connection: Connection, plan: Plan, names: RowNames) -> tuple[list[Conflict], int]:
    """The first conflicts that the program collected, and their number, told by the rows' names."""
    total = connection.scalar(sa.select(sa.func.count()).select_from(conflicts)) or 0
    if not total:
        return [], 0
    ordered = sa.select(conflicts).order_by(
        conflicts.c.table_name, conflicts.c.kind, conflicts.c.seed_id, conflicts.c.column_name
    )
    rows: list[Any] = list(connection.execute(ordered.limit(FAULT_LIMIT)))
    names.learn((row.table_name, str(row.seed_id)) for row in rows)
    listed = [
        Conflict(
            row.kind,
            row.table_name,
            names(row.table_name, str(row.seed_id)),
            row.column_name,
            row.wanted,
            row.found,
            _pointing(connection, plan, row) if row.kind == "referenced" else (),
        )
        for row in rows
    ]
    return listed, total


def _pointing(connection: Connection, plan: Plan, conflict: Any) -> tuple[str, ...]:
    """The first rows behind a `referenced` conflict; `wanted` names the foreign key."""
    table = plan.staged(conflict.table_name)
    references = plan.references.get(conflict.table_name, ())
    key = next((one for one in references if str(one) == conflict.wanted), None)
    if table is None or key is None or not key.identity:
        return ()
    for kind in ("update", "insert", "delete") if conflict.column_name else ("delete",):
        if table.has(kind):
            rows = connection.execute(pointing_rows(plan, table, key, conflict.seed_id, kind).limit(NAMED))
            named = tuple(
                "/".join(shown(part, apart="/" if len(row) > 1 else "") for part in row) for row in rows
            )
            if named:
                return named
    return ()
