"""What the database remembers: claims, one wherever the seed met a value that was not its own.

The claims of a cell are a stack by position. A way up pushes, a way down reads and drops those above its
target; none is ever changed. A claim on EXISTS opens a chapter of its row's life. Only the claims of the last
chapter count; older ones rest, and count again when a way down has dropped the one that opened it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tests.laws.model.history import ABSENT, EXISTS, PRESENT, History, Id, Row, Seeded


class Stands(StrEnum):
    """Whose value is in a cell since the claim: its owner's, the seed's, or what a link was cut to."""

    OWNER = "owner"
    SEED = "seed"
    CUT = "cut"


@dataclass(frozen=True)
class Claim:
    """At `position` the seed met `value`, or cut a link to it; `live_id` is that of a row that was met."""

    position: int
    value: Any
    stands: Stands
    live_id: Id = None


Claims = dict[Seeded, dict[str, list[Claim]]]


@dataclass
class Base:
    """A database: live rows by table and id, also those of tables that nobody seeds; claims; a position."""

    rows: dict[str, dict[Id, Row]]
    claims: Claims = field(default_factory=dict)
    position: int = 0


class Ledger:
    """The claims of a database, as questions."""

    def __init__(self, history: History, claims: Mapping[Seeded, Mapping[str, list[Claim]]]) -> None:
        self.history, self.claims = history, claims

    def stack(self, row: Seeded, column: str) -> list[Claim]:
        """All claims on a cell, the oldest first."""
        return self.claims.get(row, {}).get(column, [])

    def above(self, position: int, row: Seeded, column: str) -> list[Claim]:
        """Those that a way down to `position` drops."""
        return [one for one in self.stack(row, column) if one.position > position]

    def opening(self, position: int, row: Seeded) -> Claim | None:
        """The claim on EXISTS that opened the chapter; none in the first one."""
        below = [one for one in self.stack(row, EXISTS) if one.position <= position]
        return below[-1] if below else None

    def chapter(self, position: int, row: Seeded, column: str) -> list[Claim]:
        """The claims on a cell that count at a position."""
        opening = self.opening(position, row)
        since = opening.position if opening else 0
        return [one for one in self.stack(row, column) if since <= one.position <= position]

    def met(self, position: int, row: Seeded, column: str) -> list[Claim]:
        """Those of them that hold somebody's value; a cut holds nobody's."""
        return [one for one in self.chapter(position, row, column) if one.stands is not Stands.CUT]

    def top(self, position: int, row: Seeded, column: str) -> Claim | None:
        """The last claim that counts."""
        claims = self.chapter(position, row, column)
        return claims[-1] if claims else None

    def is_owners(self, position: int, row: Seeded, column: str) -> bool:
        """Whether a cell's owner stands on top of it."""
        top = self.top(position, row, column)
        return top is not None and top.stands is Stands.OWNER

    def cut(self, position: int, row: Seeded, column: str) -> Claim | None:
        """The claim by which a link is cut, if it is."""
        top = self.top(position, row, column)
        return top if top is not None and top.stands is Stands.CUT else None

    def is_somebodys(self, position: int, row: Seeded) -> bool:
        """Whether a row that the seed holds was there before the seed wanted it."""
        opening = self.opening(position, row)
        if opening is None or not self.history.holds(opening.position, row):
            # Where the seed let go of a row and it stayed, it is nobody's that the seed would have to ask.
            return False
        return opening.value == PRESENT

    def is_gone(self, position: int, row: Seeded) -> bool:
        """Whether somebody deleted the row, and the seed left it at that."""
        opening = self.opening(position, row)
        return opening is not None and opening.value == ABSENT and opening.stands is Stands.OWNER
