"""Lines of change files, with their rows still as text: most rows of a move need no more than their bytes."""

import json
from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from typing import Annotated, NamedTuple

from msgspec import Meta, MsgspecError, Raw, Struct, field
from msgspec.json import Decoder

from seedrail.errors import ChangeFileError
from seedrail.history.changes import Change, changed_columns, net_of
from seedrail.history.columns import AS_THEY_ARE, Renewed

RESTORE = "restore the file as it was committed; a change file is never edited by hand"
"""What to do about a change file that is none any more."""

UNREADABLE = (MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for text that is not what it should be."""


class Line(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A row change as it stands in a file; an absent row is an empty Raw.

    `row` are its words, the natural key, in files that have them. It holds text alone, which the garbage
    collector need not follow.
    """

    table: str
    """The table."""
    id: Annotated[str, Meta(min_length=36, max_length=36)]
    """The seed id, which is made of the table and the natural key, and never changes."""
    row: Raw = Raw()
    """The row's natural key in words: column by column, a link as its parent's key."""
    old: Raw = Raw()
    """The columns before: of a row that is deleted, all that are not NULL; of an update, what changes."""
    new: Raw = Raw()
    """The columns after: of a row that is inserted, all that are not NULL; of an update, what changes."""
    release: bool = False
    """`true`: the row left its document, and the seed lets go of it (`-x seed_removed=release`). No statement
    touches the live row. With `new` alone, in a squashed revision: it came before, too, and comes with it."""
    returns: bool = field(default=False, name="return")
    """`true`: a row that was released is in its document again, with what differs."""

    @property
    def seed_row(self) -> tuple[str, str]:
        """Its table and seed id."""
        return self.table, self.id

    def change(self, revision: str) -> Change:
        """The change that the line says; ValueError where it says none."""
        old, new = (json.loads(bytes(row)) if row else None for row in (self.old, self.new))
        if not all(isinstance(row, dict | None) for row in (old, new)) or not (old or new or self.returns):
            raise ValueError
        if self.returns:
            old, new = old or {}, new or {}
        revisions = dict.fromkeys(changed_columns(old, new), revision) if old is not None and new else {}
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
    except UNREADABLE:
        pass
    for index, text in enumerate(body.split(b"\n")):
        try:
            _DECODER.decode(text)
        except UNREADABLE:
            return index
    return 0


class Lone(NamedTuple):
    """Rows with one change in a move, of one kind: whole rows as text, from the lines of one revision."""

    table: str
    effect: str
    revision: str
    rows: list[tuple[str, Raw]]
    """Each with its seed id."""

    def only(self, wanted: Container[tuple[str, str]]) -> "Lone":
        """Those of the rows whose table and seed id are wanted."""
        return self._replace(rows=[(id_, row) for id_, row in self.rows if (self.table, id_) in wanted])


def lone_or_net(
    group: list[tuple[int, Sequence[Line]]],
    revisions: Sequence[str],
    renewed: Renewed = AS_THEY_ARE,
    *,
    upward: bool,
) -> Iterator[Lone | Change]:
    """What the numbered lines of one row, or many lone lines, come to; a move down takes them back."""
    if len(group) > 1:
        yield from net_lines(group, revisions, renewed, upward=upward)
        return
    number, lines = group[0]
    # Mostly one table's new rows: this is seen at once, and a block is sorted by tables.
    table, others = lines[0].table, [1 for line in lines if line.old or not line.new or line.release]
    if table == lines[-1].table and not others and not renewed.concerns(table, number + 1):
        rows = [(line.id, line.new) for line in lines]
        yield Lone(table, "insert" if upward else "delete", revisions[number], rows)
        return
    for (table, kind), alike in groupby(lines, key=_kind):
        if kind == "other" or renewed.concerns(table, number + 1):
            for line in alike:
                yield from net_lines([(number, [line])], revisions, renewed, upward=upward)
        elif kind == "new":
            rows = [(line.id, line.new) for line in alike]
            yield Lone(table, "insert" if upward else "delete", revisions[number], rows)
        else:
            rows = [(line.id, line.old) for line in alike]
            yield Lone(table, "delete" if upward else "insert", revisions[number], rows)


def _kind(line: Line) -> tuple[str, str]:
    if line.new and not line.old and not line.release:
        return line.table, "new"
    if line.old and not (line.new or line.release or line.returns):
        return line.table, "old"
    return line.table, "other"


def net_lines(
    group: list[tuple[int, Sequence[Line]]],
    revisions: Sequence[str],
    renewed: Renewed = AS_THEY_ARE,
    *,
    upward: bool,
) -> Iterator[Change]:
    """What the numbered lines of one row come to, if anything; a move down takes them back.

    `renewed` are columns of the states on the way, of which the first is there before the first file.
    """
    change = net_of(
        renewed.settle(change_of(line, revisions[number]), number + 1)
        for number, lines in group
        for line in lines
    )
    if change is not None:
        yield change if upward else change.inverse()


def change_of(line: Line, revision: str) -> Change:
    """The change that a line says; ChangeFileError where it says none."""
    try:
        return line.change(revision)
    except (ValueError, RecursionError):
        raise ChangeFileError(revision, f"{line.table} {line.id} is not a row change", RESTORE) from None
