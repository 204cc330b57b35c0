"""Lines of change files, with their rows still as text: most rows of a move need no more than their bytes."""

import json
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import DecodeError, Meta, Raw, Struct, field
from msgspec.json import Decoder

from app.seeding.changes import Change, net_of


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """A row change as it stands in a file; an absent row is an empty Raw."""

    table: str
    id: Annotated[str, Meta(min_length=36, max_length=36)]
    old: Raw = Raw()
    new: Raw = Raw()
    release: bool = False
    returns: bool = field(default=False, name="return")

    @property
    def sort_key(self) -> tuple[str, str]:
        """The order of every change file."""
        return self.table, self.id

    def change(self, revision: str) -> Change:
        """The change that the line says; ValueError where it says none."""
        old, new = (json.loads(bytes(row)) if row else None for row in (self.old, self.new))
        if not all(isinstance(row, dict | None) for row in (old, new)) or not (old or new or self.returns):
            raise ValueError
        if self.returns:
            old, new = old or {}, new or {}
        revisions = dict.fromkeys(new, revision) if old is not None and new else {}
        change = Change(self.table, self.id, old, new, revision, revisions, released_before=self.returns)
        return change.release() if self.release else change


_DECODER = Decoder(Line)


def decode_lines(body: bytes) -> list[Line] | int:
    """The lines of a part of a file, or the index of the first that is none."""
    try:
        lines = _DECODER.decode_lines(body)
        # Blank lines are passed over without an error.
        if len(lines) == body.count(b"\n") + (not body.endswith(b"\n")):
            return lines
    except (DecodeError, UnicodeDecodeError, RecursionError):
        pass
    for index, text in enumerate(body.split(b"\n")):
        try:
            _DECODER.decode(text)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            return index
    return 0


class Lone(NamedTuple):
    """A row's only change in a move: the whole row as text, from the line of one revision."""

    table: str
    id: str
    effect: str
    row: Raw
    revision: str


def lone_or_net(
    lines: list[tuple[int, Line]], revisions: Sequence[str], *, upward: bool
) -> Lone | Change | None:
    """What a row's numbered lines come to; taken back where the move goes down."""
    if len(lines) == 1:
        number, line = lines[0]
        if line.new and not line.old:
            return Lone(line.table, line.id, "insert" if upward else "delete", line.new, revisions[number])
        if line.old and not (line.new or line.release or line.returns):
            return Lone(line.table, line.id, "delete" if upward else "insert", line.old, revisions[number])
    change = net_of(line.change(revisions[number]) for number, line in lines)
    return change.inverse() if change and not upward else change
