"""A move: from a database's position to another one, under a policy."""

from collections.abc import Sequence
from copy import deepcopy

from tests.laws.model.cells import Conflict
from tests.laws.model.claims import Base, Claim, Claims, Stands
from tests.laws.model.history import EXISTS, History, Seeded
from tests.laws.model.links import Links


class RefusedError(Exception):
    """Under `abort`, conflicts stop a move, and nothing is changed."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


def move(
    history: History, base: Base, target: int, policy: str, conflicts: list[Conflict] | None = None
) -> Base:
    """The database after a move, and in `conflicts` what the policy decided; RefusedError under `abort`.

    A way up is one move. A way down stops below each position at which the ledger met a row, so that it looks
    at each chapter of a row's life as that ended, and below each at which it met a cell again: it then asks
    about what somebody wrote between the two. At a stop nobody is asked about a row that is in nobody's way
    in the end.
    """
    while base.position != target:
        one = _Move(history, base, _next_stop(base, target), policy, target)
        base = one.run()
        if conflicts is not None:
            conflicts += one.conflicts
    return base


def _next_stop(base: Base, target: int) -> int:
    below = (
        claim.position - 1
        for columns in base.claims.values()
        for column, stack in columns.items()
        for claim in _stopping(column, [one for one in stack if one.position > target])
        if target < claim.position - 1 < base.position
    )
    return max(below, default=target) if target < base.position else target


def _stopping(column: str, above: Sequence[Claim]) -> Sequence[Claim]:
    """Of the claims that a way down would drop, those below which it stops first."""
    return above if column == EXISTS else [one for one in above if one.stands is not Stands.CUT][1:]


class _Move(Links):
    """One stretch of a move, without a stop."""

    def run(self) -> Base:
        """The database after it."""
        rows = self._rows()
        for row in rows:
            self.find(row)
        self.passing = self._passing()
        # Rows that come are decided first: links of the others may lead to them.
        for row in sorted(rows, key=lambda row: row in self.live):
            self.decide(row)
        self.cut_links()
        self.keep_what_others_point_at(rows[::-1])
        if self.conflicts and self.policy == "abort":
            raise RefusedError(self.conflicts)
        return Base(self._live_rows(), self._claims(), self.target)

    def _rows(self) -> list[Seeded]:
        """Every row that either end holds or that the ledger knows, parents first."""
        order = list(self.history.tables)
        states = self.history.states
        rows = {**states[self.source], **states[self.target], **dict.fromkeys(self.base.claims)}
        return sorted(rows, key=lambda row: (order.index(row[0]), row[1]))

    def _passing(self) -> set[Seeded]:
        """Rows that would come at a stop to go again, and that nobody else there leads to."""
        if self.target == self.final:
            return set()
        before, there, after = (self.history.states[one] for one in (self.source, self.target, self.final))
        passing = {
            row for row in there if row not in {*before, *after, *self.live} and not self.base.claims.get(row)
        }
        led_to = {
            (link.table, self.history.cell(self.target, row, name))
            for row in there.keys() - passing
            for name, link in self.table(row).links.items()
        }
        return set() if passing & led_to else passing

    def _live_rows(self) -> dict[str, dict[object, dict[str, object]]]:
        rows = deepcopy(self.base.rows)
        for row in self.deletes:
            del rows[row[0]][self.live[row]]
        for row, values in self.writes.items():
            rows[row[0]][self.live[row]].update(values)
        for row, values in self.inserts.items():
            # What people had in columns of their own comes back with a row; else their defaults stand.
            defaults = {n: d for n, d in self.table(row).extras.items() if values.get(n) is None}
            rows[row[0]][row[1]] = {**values, **defaults}
        return rows

    def _claims(self) -> Claims:
        claims: Claims = {}
        for row, columns in self.base.claims.items():
            for column, stack in columns.items():
                for claim in stack:
                    if claim.position <= self.target:
                        claims.setdefault(row, {}).setdefault(column, []).append(claim)
        for row, column, claim in self.claimed:
            claims.setdefault(row, {}).setdefault(column, []).append(claim)
        return claims
