"""One row in a move: it enters, leaves or stays, and its cells with it."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.laws.model.cells import Cells
from tests.laws.model.claims import Stands
from tests.laws.model.history import ABSENT, EXISTS, PRESENT, Id, Seeded


class Rows(Cells):
    """A move, as far as it looks at single rows."""

    def find(self, row: Seeded) -> None:
        """Find the live row: as this chapter of its life names it, else by its seed id, else by its key.

        By its natural key where it comes, or is somebody's, who may have deleted it and made it anew. Where
        the seed has a row of its own, an equal one of somebody's is another row.
        """
        live = self.base.rows[row[0]]
        opening = self.ledger.opening(self.source, row)
        comes = self.history.holds(self.target, row) and not self.history.holds(self.source, row)
        theirs = opening is not None and (opening.value, opening.stands) != (ABSENT, Stands.SEED)
        by_key = self._by_key(row, self.target if comes else self.source) if comes or theirs else ()
        for id_ in (opening.live_id if opening else None, row[1], *by_key):
            if id_ in live:
                self.live[row] = id_
                return

    def _by_key(self, row: Seeded, position: int) -> Iterator[Id]:
        if self.history.holds(position, row):
            key = {name: self.seeded(position, row, name) for name in self.table(row).key}
            for id_, values in self.base.rows[row[0]].items():
                if all(values[name] == value for name, value in key.items()):
                    yield id_

    def decide(self, row: Seeded) -> None:
        """What becomes of a row."""
        match self.history.holds(self.source, row), self.history.holds(self.target, row):
            case False, True:
                self._enters(row)
            case True, False:
                self._leaves(row)
            case True, True:
                self._stays(row)

    # -- a row that the seed did not hold, and does --------------------------------------------------------

    def _enters(self, row: Seeded) -> None:
        above = self.above(row, EXISTS)
        if above and not (above[0].value == PRESENT and above[0].stands is Stands.SEED):
            # A way down, to where the seed still held a row that was gone or stayed when it let go of it.
            if above[0].value == PRESENT and self.ledger.is_somebodys(self.target, row):
                self._comes_back_under_the_seed(row)
        elif not self.up and self.ledger.is_gone(self.target, row):
            # It is gone at the target, and was when the way up came by.
            return
        elif row in self.live:
            self._is_adopted(row)
        else:
            self._is_inserted(row)

    def _is_inserted(self, row: Seeded) -> None:
        if row in self.passing:
            self.claim(row, EXISTS, self.first(row, [EXISTS]), ABSENT, Stands.OWNER)
            return
        self._insert(row)
        if self._lived_before(row):
            # An older life of this row has claims, which must not count in this one.
            self.claim(row, EXISTS, self.first(row, [EXISTS]), ABSENT, Stands.SEED)

    def _lived_before(self, row: Seeded) -> bool:
        """Whether a row that comes has claims of an older life, and none that opened this one."""
        born = self.first(row, [EXISTS])
        claims = [one for stack in self.base.claims.get(row, {}).values() for one in stack]
        opening = self.ledger.opening(self.target, row)
        opened = opening is not None and opening.position >= born
        return not opened and any(one.position < born for one in claims)

    def _is_adopted(self, row: Seeded) -> None:
        """Somebody has such a row: it stays theirs, and the seed works on it."""
        first = self.first(row, [EXISTS])
        # A stop on the way: the row is the seed's no more in the end, and its owner has it back as it is.
        passes = self.target != self.final and not self.history.holds(self.final, row)
        self.claim(row, EXISTS, first, PRESENT, Stands.OWNER)
        for name in self.table(row).columns:
            if self.found(row, name) == self.wanted(row, name):
                continue
            if self.found(row, name) == self.lands(row, name):
                if not passes:
                    self.ask_about_link(row, name)
                self.cut(row, name, None)
            elif passes:
                self.claim(row, name, first, self.found(row, name), Stands.OWNER)
            else:
                self.settle("exists", row, name, first)

    def _comes_back_under_the_seed(self, row: Seeded) -> None:
        """Cells that the seed had written and then given back are written again."""
        first = self.first(row, [EXISTS])
        for name in self.table(row).columns if row in self.live else ():
            met = self.ledger.met(self.target, row, name)
            if not met or met[-1].stands is Stands.OWNER:
                continue
            if self.found(row, name) == met[0].value:
                self.write(row, name, self.wanted(row, name))
            elif self.found(row, name) != self.lands(row, name):
                self.settle("exists", row, name, first)

    # -- a row that the seed held, and does not ------------------------------------------------------------

    def _leaves(self, row: Seeded) -> None:
        first = self.first(row, [EXISTS]) if self.up else self.target
        if self.ledger.is_gone(self.source, row):
            # What is there under its name, if anything, is somebody's.
            return
        if row not in self.live:
            self.claim(row, EXISTS, first, ABSENT, Stands.OWNER)
        elif self.ledger.is_somebodys(self.source, row):
            if self.up or self.ledger.is_somebodys(self.target, row):
                self.claim(row, EXISTS, first, PRESENT, Stands.OWNER)
            self._is_given_back(row, first)
        else:
            self._is_deleted(row, first)

    def _is_deleted(self, row: Seeded, first: int) -> None:
        """The seed's own row goes if no cell of it is, or was, somebody's."""
        theirs = [name for name in self.table(row).all_columns if self._is_touched(row, name)]
        for name in theirs:
            self.conflict("edited row", row, name)
        if theirs and self.policy != "overwrite":
            self.claim(row, EXISTS, first, PRESENT, Stands.OWNER)
            for name in theirs:
                self.write(row, name, self._their_value(row, name))
            return
        if theirs or any(self.ledger.met(self.source, row, name) for name in self.table(row).columns):
            # The row that goes is not the seed's alone, so that no way down may jump over its life.
            self.claim(row, EXISTS, first, PRESENT, Stands.SEED)
        for name in theirs:
            self.claim(row, name, first, self._their_value(row, name), Stands.SEED)
        self.deletes[row] = None

    def _is_touched(self, row: Seeded, column: str) -> bool:
        extras = self.table(row).extras
        if column in extras:
            return bool(self.found(row, column) != extras[column])
        if self.found(row, column) != self.expected(row, column):
            return True
        # The seed wrote over somebody's value, which its own row would take along.
        return bool(self.met_above(row, column))

    def _their_value(self, row: Seeded, column: str) -> Any:
        """What somebody has, or had before the seed wrote over it, in a cell of a row that goes."""
        met = self.met_above(row, column) if column in self.table(row).columns else []
        ours = met and self.found(row, column) == self.expected(row, column)
        return met[0].value if ours else self.found(row, column)

    def _is_given_back(self, row: Seeded, first: int) -> None:
        """A row that was there first stays, and has back what the seed took."""
        for name in self.table(row).columns:
            met = self.ledger.met(self.source, row, name)
            if not met or met[-1].stands is Stands.OWNER or self.found(row, name) == met[0].value:
                continue
            if self.found(row, name) != self.expected(row, name):
                if not self.conflict("edited row", row, name):
                    continue
                self.claim(row, name, first, self.found(row, name), Stands.SEED)
            self.write(row, name, met[0].value)

    # -- a row that the seed holds before and after --------------------------------------------------------

    def _stays(self, row: Seeded) -> None:
        above = self.above(row, EXISTS)
        if above:
            if above[0].value == ABSENT and above[0].stands is Stands.SEED:
                # The seed had brought it back for somebody who had deleted it.
                self._leaves(row)
            return
        names = [name for name in self.table(row).all_columns if self._concerns(row, name)]
        if not names:
            return
        if row in self.live and not self.ledger.is_gone(self.source, row):
            for name in names:
                self.merge(row, name)
        elif row not in self.live:
            self._is_missed(row, names)

    def _concerns(self, row: Seeded, column: str) -> bool:
        before, after = (self.history.cell(p, row, column) for p in (self.source, self.target))
        return before != after or bool(self.above(row, column))

    def _is_missed(self, row: Seeded, names: Sequence[str]) -> None:
        """The seed has something for a row that is not there."""
        known = self.ledger.is_gone(self.source, row)
        wins = self.policy == "overwrite" if known else self.conflict("deleted", row)
        if wins and self.up:
            self.claim(row, EXISTS, self.first(row, names), ABSENT, Stands.SEED)
            self._insert(row)
        elif not known:
            self.claim(row, EXISTS, self.first(row, names), ABSENT, Stands.OWNER)

    def _insert(self, row: Seeded) -> None:
        self.inserts[row] = {name: self.wanted(row, name) for name in self.table(row).all_columns}
        for name in self.table(row).links:
            if self.passed_cut(row, name) and not self.met_above(row, name):
                self.cut(row, name, self.wanted(row, name))
