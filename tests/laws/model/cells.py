"""One cell in a move: what is found, what is expected, what is wanted, and the four cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.laws.model.claims import Base, Claim, Ledger, Stands
from tests.laws.model.history import EXISTS, PRESENT, History, Id, Row, Seeded, Table


@dataclass(frozen=True)
class Conflict:
    """What a policy has to decide; `column` is EXISTS where it is about the row."""

    kind: str
    row: Seeded
    column: str = EXISTS


class Cells:
    """A move from a database's position to a target, as far as it looks at single cells.

    What it decides is only collected: rows to insert, cells to write, rows to delete, claims to push. `final`
    is where a way down with stops ends.
    """

    def __init__(
        self, history: History, base: Base, target: int, policy: str, final: int | None = None
    ) -> None:
        self.history, self.base, self.policy = history, base, policy
        self.ledger = Ledger(history, base.claims)
        self.source, self.target = base.position, target
        self.final = target if final is None else final
        self.up = self.target > self.source
        self.live: dict[Seeded, Id] = {}
        self.passing: set[Seeded] = set()
        self.conflicts: list[Conflict] = []
        self.inserts: dict[Seeded, Row] = {}
        self.writes: dict[Seeded, Row] = {}
        self.deletes: dict[Seeded, None] = {}
        self.claimed: list[tuple[Seeded, str, Claim]] = []

    # -- what is known -------------------------------------------------------------------------------------

    def table(self, row: Seeded) -> Table:
        """The row's table."""
        return self.history.tables[row[0]]

    def found(self, row: Seeded, column: str) -> Any:
        """What a cell holds in the live row."""
        return self.base.rows[row[0]][self.live[row]][column]

    def seeded(self, position: int, row: Seeded, column: str) -> Any:
        """The seed's value as the database would hold it: a link leads to the live row."""
        value = self.history.cell(position, row, column)
        link = self.table(row).links.get(column)
        return value if link is None else self.live.get((link.table, value), value)

    def above(self, row: Seeded, column: str) -> list[Claim]:
        """The claims on a cell that this move drops."""
        return [] if self.up else self.ledger.above(self.target, row, column)

    def met_above(self, row: Seeded, column: str) -> list[Claim]:
        """Those of them that hold somebody's value."""
        return [one for one in self.above(row, column) if one.stands is not Stands.CUT]

    def expected(self, row: Seeded, column: str) -> Any:
        """What a cell holds if nobody touched it since the seed did: the seed's value, or what it was cut to.

        A link to a row that is gone since is expected empty: the database itself has seen to that.
        """
        cut = self.ledger.cut(self.source, row, column)
        value = cut.value if cut else self.seeded(self.source, row, column)
        link = self.table(row).links.get(column)
        lost = link is not None and not link.required and value not in self.base.rows[link.table]
        return None if lost else value

    def wanted(self, row: Seeded, column: str) -> Any:
        """What a cell shall hold at the target: the seed's value.

        A way down wants what the oldest claim that it drops had met; else, of a cut link, what it was cut to.
        """
        if self.up:
            return self.seeded(self.target, row, column)
        met = self.met_above(row, column)
        cut = self.ledger.cut(self.target, row, column)
        found = met[0] if met else None if self.passed_cut(row, column) else cut
        return found.value if found else self.seeded(self.target, row, column)

    def passed_cut(self, row: Seeded, column: str) -> bool:
        """On a way down: whether a jump has passed by another link than the one that was cut."""
        cut = None if self.up else self.ledger.cut(self.target, row, column)
        return cut is not None and cut.position < self.history.given_at(self.target, row, column)

    def lands(self, row: Seeded, column: str) -> Any:
        """What a cell will hold if the seed writes it: a link that leads nowhere may have to be empty."""
        wanted, link = self.wanted(row, column), self.table(row).links.get(column)
        lost = link is not None and not link.required and not self.leads(link.table, wanted)
        return None if lost else wanted

    def leads(self, table: str, id_: Id) -> bool:
        """Whether a link leads to a row that is there, or comes with this move."""
        return id_ in self.base.rows[table] or (table, id_) in self.inserts

    # -- what is decided -----------------------------------------------------------------------------------

    def merge(self, row: Seeded, column: str) -> None:
        """A cell of a row that stays."""
        found, expected = self.found(row, column), self.expected(row, column)
        owners = self.ledger.is_owners(self.source, row, column)
        if owners and (found != expected or not self.up):
            # 1. The owner's value stayed, and stays; only `overwrite` on a way up decides anew.
            if self.policy == "overwrite" and self.up:
                self._take(row, column)
        elif found == expected:
            # 2. Nobody touched it.
            self._follow(row, column, owners)
        elif found == self.lands(row, column):
            # 3. Somebody was there first with the same value.
            self.claim(row, column, self.first(row, [column]), found, Stands.OWNER)
        else:
            # 4. Somebody has set another value.
            self.settle("edited", row, column, self.first(row, [column]))

    def _take(self, row: Seeded, column: str) -> None:
        self.claim(row, column, self.first(row, [column]), self.found(row, column), Stands.SEED)
        self.write(row, column, self.wanted(row, column))

    def _follow(self, row: Seeded, column: str, owners: bool) -> None:
        """A cell as expected takes the seed's value; what is somebody's, by itself or its row, is claimed."""
        met = self.ledger.met(self.source, row, column)
        theirs = owners or (not met and self.ledger.is_somebodys(self.source, row))
        if theirs and not self.met_above(row, column) and self.found(row, column) != self.wanted(row, column):
            self._take(row, column)
            return
        if (self.up and self.ledger.cut(self.source, row, column)) or self.passed_cut(row, column):
            # The link is whole again, or was when the seed came by on its way up, if it had not jumped.
            self.cut(row, column, self.wanted(row, column))
        self.write(row, column, self.wanted(row, column))

    def settle(self, kind: str, row: Seeded, column: str, position: int) -> None:
        """A conflict about a cell: its owner stays on top, or the seed writes over it."""
        wins = self.conflict(kind, row, column)
        stands = Stands.SEED if wins else Stands.OWNER
        self.claim(row, column, position, self.found(row, column), stands)
        if wins:
            self.write(row, column, self.wanted(row, column))

    def conflict(self, kind: str, row: Seeded, column: str = EXISTS) -> bool:
        """Note a conflict; whether the seed wins it."""
        self.conflicts.append(Conflict(kind, row, column))
        return self.policy == "overwrite"

    def first(self, row: Seeded, columns: Sequence[str]) -> int:
        """The revision that a claim belongs to, so that a jump and single steps leave the same ledger.

        On a way up it is the first that changes one of the cells; on a way down the one that gave the last of
        them the value that it has at the target.
        """
        if self.up:
            return min(self.history.changed_at(self.source, self.target, row, name) for name in columns)
        return max(self.history.given_at(self.target, row, name) for name in columns)

    def write(self, row: Seeded, column: str, value: Any) -> None:
        """Give a cell of a live row a value, if it has another."""
        if self.found(row, column) != value:
            self.writes.setdefault(row, {})[column] = value

    def claim(self, row: Seeded, column: str, position: int, value: Any, stands: Stands) -> None:
        """Push a claim; there is none at seed_base, nor above the target."""
        live_id = self.live[row] if column == EXISTS and value == PRESENT else None
        if 0 < position <= self.target:
            self.claimed.append((row, column, Claim(position, value, stands, live_id)))

    def ask_about_link(self, row: Seeded, column: str) -> None:
        """Note that a link leads nowhere, if anybody minds."""
        if not self.table(row).links[column].optional:
            self.conflict("unlinked", row, column)

    def cut(self, row: Seeded, column: str, left: Any) -> None:
        """Claim what a link is left with in place of the seed's value, as of the revision that gave that."""
        self.claim(row, column, self.history.given_at(self.target, row, column), left, Stands.CUT)
