"""What depends on other rows: links to rows that are not there, and rows that others point at."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.laws.model.claims import Stands
from tests.laws.model.history import ABSENT, EXISTS, PRESENT, Row, Seeded
from tests.laws.model.rows import Rows


class Links(Rows):
    """A move, as far as its rows depend on each other. It is asked last, until nothing changes."""

    def cut_links(self) -> None:
        """A link to a row that is not there is cut; a required one costs its row, or keeps its value."""
        while broken := next(self._broken(), None):
            where, row, column = broken
            link = self.table(row).links[column]
            self.ask_about_link(row, column)
            if not link.required:
                where[row][column] = None
                self.cut(row, column, None)
            elif where is self.inserts:
                del self.inserts[row]
                self._claim_the_row_alone(row, ABSENT, self.first(row, [EXISTS]))
            else:
                del where[row][column]
                self.cut(row, column, self.found(row, column))

    def _broken(self) -> Iterator[tuple[dict[Seeded, Row], Seeded, str]]:
        for where in (self.inserts, self.writes):
            for row, values in where.items():
                for column, link in self.table(row).links.items():
                    if values.get(column) is not None and not self.leads(link.table, values[column]):
                        yield where, row, column

    def keep_what_others_point_at(self, rows: Sequence[Seeded]) -> None:
        """A row that would go stays where one that stays points at it, under every policy; children first."""
        while held := next((row for row in rows if row in self.deletes and any(self._pointing(row))), None):
            del self.deletes[held]
            self.conflict("referenced", held)
            first = self.first(held, [EXISTS]) if self.up else self.target
            self._claim_the_row_alone(held, PRESENT, first)

    def _pointing(self, row: Seeded) -> Iterator[bool]:
        """Of each row that stays or comes, whether it will point at this one."""
        id_ = self.live[row]
        seeded = {(one[0], live): one for one, live in self.live.items()}
        for table, column in self._keys_to(row[0]):
            yield from (new[column] == id_ for one, new in self.inserts.items() if one[0] == table)
            for other, values in self.base.rows[table].items():
                known = seeded.get((table, other))
                if known is None or known not in self.deletes:
                    yield self._will_hold(known, column, values[column]) == id_

    def _will_hold(self, row: Seeded | None, column: str, found: Any) -> Any:
        return found if row is None else self.writes.get(row, {}).get(column, found)

    def _keys_to(self, table: str) -> Iterator[tuple[str, str]]:
        for other in self.history.tables.values():
            yield from ((other.name, name) for name, link in other.links.items() if link.table == table)
        yield from ((other, name) for other, name, to in self.history.pointing if to == table)

    def _claim_the_row_alone(self, row: Seeded, value: str, first: int) -> None:
        """The row's owner stands on top of all of it; what was claimed of it in this move is void."""
        self.claimed = [one for one in self.claimed if one[0] != row]
        self.claim(row, EXISTS, first, value, Stands.OWNER)
