"""Conflicts between the seed and live rows: read back from a move, and put into words."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from seedrail.errors import FAULT_LIMIT, SeedError
from seedrail.history.rownames import RowNames, spoken
from seedrail.merge.decide.cases import LEAVE
from seedrail.merge.decide.cells import cells, decided
from seedrail.merge.decide.links import pointing_rows
from seedrail.merge.plan import Plan
from seedrail.merge.report.answers import Decision, Entry, choices
from seedrail.merge.stage import StagedTable
from seedrail.quoting import quoted, shown
from seedrail.run_options import Policy

NAMED = 3
"""How many of the rows that point at one are named."""

Counts = Mapping[tuple[str, str], int]
"""How many conflicts there are, by kind and table."""


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
    left_out: bool = False
    """Of a link: whether its row does not come without it."""

    @classmethod
    def of(cls, entry: Entry) -> "Conflict":
        """The conflict that a line of a report is about, in the words of a run's own."""
        wanted, found = (entry.wanted, entry.found) if entry.by is None else (entry.by, str(entry.rows))
        return cls(entry.kind, entry.table, spoken(entry.row, entry.id), entry.column, wanted, found)

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
            case "edited since":
                return (
                    f"edited: {where} would have its {column} {wanted} back, which it had before the seed,"
                    f" but somebody has set it to {found} since"
                )
            case "edited before":
                return (
                    f"edited: {where} would be deleted, but somebody had set its {column} to"
                    f" {found} before the seed did"
                )
            case "deleted":
                return f"deleted: {where} is gone, and the seed wants to update it"
            case "referenced":
                return self._referenced(where, column)
            case _:
                out = ", so that it is left out" if self.left_out else ""
                lost = f"{column} leads to a row that is not there (id {shown(self.wanted)})"
                return f"unlinked: {where}: {lost}{out}"

    def _referenced(self, where: str, column: str) -> str:
        count = int(self.found or 0)
        rows, verb = ("1 row", "points") if count == 1 else (f"{count} rows", "point")
        named = ", ".join([*self.pointing, *(["…"] if count > len(self.pointing) else [])])
        ids = f" (id {named})" if self.pointing else ""
        what = f"{where}: its {column} would be changed" if self.column else f"{where} would be deleted"
        return f"referenced: {what}, but {rows} of {shown(self.wanted)} {verb} at it{ids}"


class ConflictError(SeedError):
    """Live rows differ from what the seed expects; holds the conflicts listed, and their numbers.

    `counts` are by kind and table. `spelled` says an option in the words of whoever started the run. From a
    stop, a way down goes on to the revision `further`. The ledger is `kept` unless the way ends at seed_base.
    """

    def __init__(
        self,
        conflicts: Sequence[Conflict],
        counts: Counts,
        spelled: Callable[[str, str], str],
        further: str = "",
        *,
        kept: bool = True,
    ) -> None:
        total = sum(counts.values())
        self.conflicts, self.total = tuple(conflicts), total
        lines = [
            f"the database differs from what the seed expects: {total}"
            f" conflict{'s' * (total > 1)}; nothing was written",
            f"  {summary(counts)}",
            "  somebody edited, added, deleted or linked to these rows, and the seed will not undo that:",
            *(f"  - {conflict}" for conflict in self.conflicts),
        ]
        if total > len(self.conflicts):
            lines.append(f"  … and {total - len(self.conflicts)} more")
        if further:
            lines.append(
                f"  that is as far as the ledger's next claim: from there on to {further} may be more"
            )
        lines += [
            "  make the rows and the seed agree, then run the same command again; or choose another policy:",
            *_policies(spelled, kept=kept),
            f"  or decide each by itself: {spelled('seed_report', 'FILE')} writes all of them down, and",
            f"  {spelled('seed_decisions', 'FILE')} takes that file back with your decisions",
        ]
        super().__init__("\n".join(lines))


_POLICIES = {
    Policy.KEEP: "the rows stay as they are, and the ledger remembers it",
    Policy.OVERWRITE: "the seed's values win, and the ledger keeps what was there;"
    " rows that others point at stay",
    Policy.ABORT: "nothing is written, as now",
}


_LOST = (
    "the seed's values win; at seed_base the ledger goes, and what was there is kept whole by {} alone;"
    " rows that others point at stay"
)


def _policies(spelled: Callable[[str, str], str], *, kept: bool) -> list[str]:
    lost = {} if kept else {Policy.OVERWRITE: _LOST.format(spelled("seed_report", "FILE"))}
    said = {spelled("seed_conflict", policy): meaning for policy, meaning in {**_POLICIES, **lost}.items()}
    width = max(map(len, said))
    return [f"    {option:{width}}  {meaning}" for option, meaning in said.items()]


def conflicts(plan: Plan) -> sa.Subquery:
    """The conflicts of a move, in words for a report: what the seed wanted, and what was found."""
    c = cells.c
    expected = c.kind.in_(["edited row", "edited before"])
    wanted = sa.case((expected, c.expected), (c.kind == "edited since", c.met_value), else_=c.wanted)
    found = sa.case((c.kind == "edited before", c.popped_value), else_=c.found)
    text = plan.dialect.text
    rows = sa.select(
        c.kind,
        c.table_name,
        c.seed_id,
        c.column_name,
        text(wanted).label("wanted"),
        text(found).label("found"),
        text(c.expected).label("expected"),
        (c.verdict == LEAVE).label("is_left_out"),
        (decided(cells).correlate(cells).exists() if plan.decisions else sa.false()).label("is_decided"),
    )
    return rows.where(c.kind.is_not(None)).subquery("conflict")


def summary(counts: Counts) -> str:
    """Conflicts by kind and table, such as `12 edited in simulations, 3 referenced in machines`."""
    by_word: Counter[tuple[str, str]] = Counter()
    for (kind, table), count in counts.items():
        by_word[kind.partition(" ")[0], table] += count
    return ", ".join(f"{n:,} {kind} in {shown(table)}" for (kind, table), n in sorted(by_word.items()))


def read_conflicts(
    connection: Connection, plan: Plan, names: RowNames
) -> tuple[list[Conflict], Counter[tuple[str, str]]]:
    """The first conflicts that nobody has decided, told by the rows' names; how many by kind and table."""
    counts: Counter[tuple[str, str]] = Counter()
    if not plan.tables:
        return [], counts
    every = conflicts(plan)
    asked = sa.select(every).where(~every.c.is_decided).subquery("asked")
    kinds = sa.select(asked.c.kind, asked.c.table_name, sa.func.count())
    for kind, table, number in connection.execute(kinds.group_by(asked.c.kind, asked.c.table_name)):
        counts[kind, table] = number
    if not counts:
        return [], counts
    listed = [
        Conflict(
            row.kind,
            row.table_name,
            names(row.table_name, str(row.seed_id)),
            row.column_name,
            row.wanted,
            row.found,
            _pointing(connection, plan, row) if row.kind == "referenced" else (),
            row.kind == "unlinked" and bool(row.is_left_out),
        )
        for row in _first(connection, plan, names, asked, counts)
    ]
    return listed, counts


_SORTED = 100
"""So many conflicts of a table are sorted by name; of more, the first by what is in their keys."""


def _first(
    connection: Connection, plan: Plan, names: RowNames, asked: sa.Subquery, counts: Counts
) -> list[Any]:
    """The conflicts to list: parents first, and by name."""
    rows: list[Any] = []
    for table in plan.tables:
        total = sum(count for (_, name), count in counts.items() if name == table.name)
        if total and len(rows) < FAULT_LIMIT:
            some = sa.select(asked).where(asked.c.table_name == table.name)
            if total > _SORTED:
                some = some.join(table.stage, table.stage.c.seed_id == asked.c.seed_id)
                some = some.order_by(*_keys(table), asked.c.seed_id).limit(FAULT_LIMIT)
            rows += _ordered(connection, plan, names, some)
    return rows[:FAULT_LIMIT]


def _keys(table: StagedTable) -> Iterator[ColumnElement[Any]]:
    """The staged natural key; links, which are ids, say nothing of names."""
    for name in table.frozen.key:
        if name not in table.frozen.foreign_keys and name in table.columns:
            yield sa.func.coalesce(table.stage.c["n_" + name], table.stage.c["o_" + name])


def read_entries(
    connection: Connection, plan: Plan, names: RowNames, move: tuple[str, str], decisions: Sequence[Decision]
) -> Iterator[Entry]:
    """All conflicts of a move for its report, with what was decided of them."""
    made = {one.entry.conflict: one.entry.decision for one in decisions}
    for row in _ordered(connection, plan, names, sa.select(conflicts(plan))) if plan.tables else ():
        points = row.kind == "referenced"
        entry = Entry(
            move,
            row.table_name,
            str(row.seed_id),
            row.kind,
            row=names.words(row.table_name, str(row.seed_id)),
            column=row.column_name,
            expected=row.expected,
            choices=choices(row.kind, upgrade=plan.upgrade),
        )
        if points:
            entry.by, entry.rows = row.wanted, int(row.found or 0)
        else:
            entry.wanted, entry.found = row.wanted, row.found
        if row.is_decided:
            entry.decision = made[entry.conflict]
        yield entry


def faults(entries: Iterable[Entry], decisions: Sequence[Decision]) -> list[str]:
    """Why decisions do not hold for a move's conflicts, in the file's order."""
    now = {entry.conflict: entry for entry in entries}
    # Of a kind that is another by now, what it is now is told.
    of_cells = {entry.conflict[:3]: entry for entry in entries}
    said = (one.fault(now.get(one.entry.conflict, of_cells.get(one.entry.conflict[:3]))) for one in decisions)
    return [fault for fault in said if fault is not None]


def _ordered(connection: Connection, plan: Plan, names: RowNames, rows: sa.Select[Any]) -> list[Any]:
    """Conflicts by table, parents first, and by name; all their names are learnt."""
    found = list(connection.execute(rows))
    names.learn((row.table_name, str(row.seed_id)) for row in found)
    rank = {table.name: number for number, table in enumerate(plan.tables)}
    columns = {table.name: table.columns for table in plan.tables}

    def key(row: Any) -> tuple[Any, ...]:
        name, column = names(row.table_name, str(row.seed_id)), row.column_name
        known = columns[row.table_name]
        place = known.index(column) if column in known else len(known)
        return rank[row.table_name], name, str(row.seed_id), bool(column), place, column, row.kind

    return sorted(found, key=key)


def _pointing(connection: Connection, plan: Plan, conflict: Any) -> tuple[str, ...]:
    """The first rows behind a `referenced` conflict; `wanted` names the foreign key."""
    table = plan.staged(conflict.table_name)
    references = plan.references.get(conflict.table_name, ())
    key = next((one for one in references if str(one) == conflict.wanted), None)
    if table is None or key is None or not key.identity:
        return ()
    rows = connection.execute(pointing_rows(plan, table, key, conflict.seed_id).limit(NAMED))
    return tuple("/".join(shown(part, apart="/" if len(row) > 1 else "") for part in row) for row in rows)
