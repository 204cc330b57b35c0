"""The seed rail: the line of seed revisions from `seed_base` to its head, read from Alembic's history."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from alembic.script import Script, ScriptDirectory

from seedrail.errors import ChangeFileError, RailError
from seedrail.history.changefile import ChangeFile, Header, Rank
from seedrail.history.changes import Change, Row, State, changed_columns
from seedrail.history.columns import Renewed, reborn
from seedrail.history.history import SEED_BASE, History, branched, downs, file_name, is_seed, on_rail
from seedrail.history.lines import Line, Lone, change_of, lone_or_net, net_lines
from seedrail.history.rail.placement import check_placement
from seedrail.history.rail.streams import Group, ranks, side_by_side
from seedrail.history.squash.old_ids import folder_of
from seedrail.history.squash.seeds import SeedRevision, seeds_of
from seedrail.schema.tables import FrozenTable

_SUFFIXES = (".jsonl", ".jsonl.gz", ".partial")
_NUMBERED = re.compile(r"seed_(\d{4,})")


ORPHAN = "is a change file that no revision pins"
RESTORE_OR_DELETE = "restore the revision file that does, or delete it"
"""What is said of a change file without revision, and what to do."""


class Rail:
    """The seed revisions of a history, in order; `revisions[0]` follows SEED_BASE.

    Where the change files of a squashed history are there still, the rail is the one of old: whatever a move
    asks of it has the answer that it had before. Alembic alone knows the squashed revision then. `aside` are
    names of change files that belong to no revision of the rail, and are no orphans.
    """

    def __init__(self, scripts: ScriptDirectory, aside: Collection[str] = ()) -> None:
        self.history = History(scripts)
        self.directory = folder_of(scripts)
        self.aside = aside

    def check(self, heads: Sequence[str] = ()) -> None:
        """Raise HistoryError or RailError where revisions are broken or stand in a wrong place.

        `heads` are the database's revisions, for saying what a mend means to it.
        """
        check_placement(self.history, heads)
        names = self._names()
        for one in self.revisions:
            if one.file.path.name not in names:
                one.file.verify()

    def orphans(self) -> list[str]:
        """The change files that no revision pins: a command was killed, or a revision file is lost."""
        return sorted(self._names() - self.pinned)

    @property
    def pinned(self) -> set[str]:
        """The names of the change files that some revision pins, or a squashed one stands for."""
        squash = self.history.squash
        old = {squash.file.path.name, *(one.changes for one in squash.replaces)} if squash else set[str]()
        return {*(one.file.path.name for one in self.revisions), *old, *self.aside}

    def _names(self) -> set[str]:
        """The names of all change files, the halves of them that a killed command leaves included."""
        found = self.directory.iterdir() if self.directory.is_dir() else ()
        return {path.name for path in found if path.name.endswith(_SUFFIXES)}

    @cached_property
    def exists(self) -> bool:
        """Whether the history has a seed rail at all."""
        return SEED_BASE in self.history.by_id

    @cached_property
    def revisions(self) -> tuple[SeedRevision, ...]:
        """The rail in order; RailError when it branches or does not start at SEED_BASE."""
        after: dict[str, list[Script]] = {}
        seeds = [script for script in self.history.revisions if is_seed(script)]
        names = {script.revision for script in seeds} | {SEED_BASE}
        for script in seeds:
            parents = [down for down in downs(script) if down in names]
            if len(parents) != 1:
                raise RailError(
                    f"seed revision {script.revision} must follow exactly one other on the seed rail,"
                    f" but it follows {', '.join(parents) or 'none'}"
                )
            after.setdefault(parents[0], []).append(script)
        line: list[SeedRevision] = []
        current = SEED_BASE
        while current in after:
            scripts = after.pop(current)
            if len(scripts) > 1:
                raise branched(current, sorted(map(file_name, scripts)))
            line += seeds_of(scripts[0], current, self.directory, self.history.squash)
            current = scripts[0].revision
        return tuple(line)

    @property
    def head(self) -> str:
        """The newest seed revision, or SEED_BASE."""
        return self.revisions[-1].revision if self.revisions else SEED_BASE

    def schema_heads(self) -> list[str]:
        """The newest schema revisions: one, unless the schema branches or there is none yet."""
        return self.history.heads_of(self.schema)

    def uncovered(self) -> list[str]:
        """The newest schema revisions that the rail's head does not follow, on any way: none of old."""
        # What it only depends on counts as uncovered: such a revision would stay a head of its own.
        below = self.history.at_or_below([self.head], dependencies=False) if self.exists else set()
        return self.history.heads_of(self.schema - below)

    @property
    def schema(self) -> set[str]:
        """The ids of all schema revisions."""
        return {script.revision for script in self.history.revisions if not on_rail(script)}

    def next_revision(self) -> str:
        """The id that a new seed revision gets: one above the highest number so far."""
        matches = [_NUMBERED.fullmatch(one.revision) for one in self.revisions]
        highest = max((int(match.group(1)) for match in matches if match), default=0)
        return f"seed_{highest + 1:04d}"

    def position(self, revision: str) -> int:
        """The place of a seed revision, as ledgers know it; 0 for SEED_BASE, an error if it is unknown.

        It counts the seed revisions below and at `revision`, a squashed one as those that it stands for.
        """
        return sum(len(one.every) for one in self.revisions[: self.index(revision)])

    def index(self, revision: str) -> int:
        """How many of the rail's revisions lie below and at one."""
        if revision == SEED_BASE:
            return 0
        for index, one in enumerate(self.revisions, start=1):
            if one.revision == revision:
                return index
        self.history.refuse_gone(revision)
        raise RailError(
            f"no seed revision {revision!r} in this history: the database was seeded by another"
            " version of the project; check out that version, or restore the missing revision"
        )

    def _at(self, revision: str) -> SeedRevision | None:
        index = self.index(revision)
        return self.revisions[index - 1] if index else None

    @cached_property
    def positions(self) -> dict[str, int]:
        """Where each revision claims what it meets: a squashed one at the first position that it has."""
        ends = accumulate((len(one.every) for one in self.revisions), initial=1)
        return {one.revision: first for one, first in zip(self.revisions, ends, strict=False)}

    def at(self, position: int) -> str:
        """The id that the revision at a position has, or had before it was squashed."""
        names = [SEED_BASE, *(name for one in self.revisions for name in one.every)]
        return names[position]

    def parent_of(self, revision: str) -> str:
        """The seed revision below another one, as Alembic knows it; RailError for SEED_BASE."""
        self.index(revision)
        below = downs(self.history.by_id[revision])
        for one in below:
            if on_rail(self.history.by_id[one]):
                return one
        raise RailError(f"no seed revision lies below {revision}")

    def sha256_of(self, revision: str) -> str:
        """The digest by which the state of a seed revision is known, empty for SEED_BASE."""
        one = self._at(revision)
        return one.sha256 if one else ""

    def made_with(self, one: SeedRevision) -> Path:
        """A file that came with a revision: its own, or where that was squashed its change file."""
        squash = self.history.squash
        script = self.history.by_id[one.revision]
        return (
            one.file.path
            if squash is not None and squash.file != one.file and one.revision in squash.every
            else Path(script.path)
        )

    def tables_at(self, revision: str) -> Mapping[str, FrozenTable]:
        """The frozen tables of a seed revision; none at SEED_BASE."""
        one = self._at(revision)
        return self._header(one).tables if one else {}

    def tables_on_way(self, source: str, target: str) -> dict[str, FrozenTable]:
        """All tables of the seed states on a way, its ends included, each as it was last."""
        lower, upper = sorted((source, target), key=self.position)
        found = dict(self.tables_at(lower))
        for one in self.between(lower, upper):
            found |= self._header(one).every
        return found

    def kin(self, seed_set: str) -> set[str]:
        """The seed sets that have, or had, tables of a set, and those that theirs went to or came from."""
        owners: dict[str, set[str]] = {}
        for tables in self._states(SEED_BASE, self.head):
            for name, table in tables.items():
                owners.setdefault(name, set()).add(table.set)
        found, shared = {seed_set}, [sets for sets in owners.values() if len(sets) > 1]
        while more := {one for sets in shared if sets & found for one in sets} - found:
            found |= more
        return found - {seed_set}

    def between(self, lower: str, upper: str) -> tuple[SeedRevision, ...]:
        """The seed revisions above `lower` up to and including `upper`."""
        return self.revisions[self.index(lower) : self.index(upper)]

    def verify(self, revisions: Iterable[SeedRevision]) -> None:
        """Raise ChangeFileError unless every file is as pinned and was made from its parent."""
        for one in revisions:
            one.file.verify()
            self._header(one)

    def net_changes(self, source: str, target: str) -> Iterator[Change]:
        """The changes that lead from the seed state at `source` to that at `target`."""
        upward, names, groups = self._lines(source, target)
        renewed = self._renewed(source, target)
        for group in groups:
            if len(group) > 1:
                yield from net_lines(group, names, renewed, upward=upward)
                continue
            ((number, lines),) = group
            for line in lines:
                yield from net_lines([(number, [line])], names, renewed, upward=upward)

    def size(self, source: str, target: str) -> int:
        """The bytes of the change files between two revisions."""
        lower, upper = sorted((source, target), key=self.position)
        return sum(one.file.size for one in self.between(lower, upper))

    def net_rows(
        self, source: str, target: str, seen: Callable[[int], None] | None = None
    ) -> Iterator[Lone | Change]:
        """The same for staging: rows that one line inserts or deletes stay as they stand in the file.

        `seen` is told how many bytes of the files were read.
        """
        upward, names, groups = self._lines(source, target, seen)
        renewed = self._renewed(source, target)
        for group in groups:
            yield from lone_or_net(group, names, renewed, upward=upward)

    def _renewed(self, source: str, target: str) -> Renewed:
        """The columns that left their table on a way and came again."""
        lower, upper = sorted((source, target), key=self.position)
        return Renewed(self._states(lower, upper))

    def renewed_since(self, revision: str) -> Mapping[str, Mapping[str, int]]:
        """By table and column, the position from which on a column is another than its namesake before."""
        found = self._renewed(SEED_BASE, revision).since
        at = [0, *(self.position(one.revision) for one in self.revisions)]
        return {
            table: {column: at[number] for column, number in columns.items()}
            for table, columns in found.items()
        }

    def columns_seen_from(self, table: str, end: str, span: tuple[str, str]) -> set[str]:
        """The columns that a state at an end of a way has, without those that are others at its upper end.

        None where it has no such table.
        """
        lower, upper = sorted(span, key=self.position)
        frozen = self.tables_at(end).get(table)
        others = self._renewed(lower, upper).others(table, self.index(end) - self.index(lower))
        return set(frozen.columns) - others if frozen is not None else set()

    def _states(self, lower: str, upper: str) -> list[Mapping[str, FrozenTable]]:
        """The tables of each seed state on a way up, its ends included."""
        return [self.tables_at(one) for one in (lower, *(one.revision for one in self.between(lower, upper)))]

    def reborn(self, revision: str) -> Iterator[tuple[str, str, str]]:
        """The columns (table, column) of a seed state that leave after it and come again, as others.

        Each with the revision by which it comes.
        """
        for table, column, number in reborn(self._states(SEED_BASE, self.head), self.index(revision)):
            yield table, column, self.revisions[number - 1].revision

    def _lines(
        self, source: str, target: str, seen: Callable[[int], None] | None = None
    ) -> tuple[bool, list[str], Iterator[Group[Line]]]:
        """Whether a move leads up, the revisions on its way, and what their files have of each row."""
        upward = self.position(source) <= self.position(target)
        revisions, files, headers = self._files(source, target)
        return upward, revisions, side_by_side(files, headers, seen)

    def ranks(self, source: str, target: str) -> Rank:
        """What tables are sorted by in `net_rows` and `net_changes`: all of one, then all of the next."""
        _, files, headers = self._files(source, target)
        return ranks(files, headers)

    def _files(self, source: str, target: str) -> tuple[list[str], list[ChangeFile], list[Header]]:
        """The revisions on the way of a move, lower ones first, with their change files and headers."""
        lower, upper = sorted((source, target), key=self.position)
        revisions = self.between(lower, upper)
        files = [one.file for one in revisions]
        return [one.revision for one in revisions], files, [file.header() for file in files]

    def state_at(self, revision: str) -> State:
        """Every seeded row at `revision`, by table and seed id: the fold of all change files."""
        return self.fold(revision)[0]

    def fold(self, revision: str) -> tuple[State, State]:
        """The seeded rows at `revision`, and those that were released and stay known."""
        tables = self.tables_at(revision)
        seeded: dict[str, dict[str, Row]] = {name: {} for name in tables}
        released: dict[str, dict[str, Row]] = {}
        for change in self.net_changes(SEED_BASE, revision):
            rows, row = released if change.released else seeded, change.new or {}
            table = tables.get(change.table)
            if table is not None and not row.keys() <= table.columns.keys():
                # What a column held went with it, also where it comes again.
                row = {name: value for name, value in row.items() if name in table.columns}
            rows.setdefault(change.table, {})[change.id] = row
        return seeded, released

    def lives(
        self, revision: str, rows: Collection[tuple[str, str]]
    ) -> Iterator[tuple[tuple[str, str], Row, Mapping[str, str]]]:
        """Those of some rows (table, seed id) that are in the history at `revision`, released ones included.

        Each with its values, and with the revision that gave each column its value and (under the empty name)
        inserted the row.
        """
        values: dict[tuple[str, str], dict[str, Any]] = {}
        given: dict[tuple[str, str], dict[str, str]] = {}
        renewed = self._renewed(SEED_BASE, revision)
        for number, one in enumerate(self.between(SEED_BASE, revision) if rows else (), start=1):
            lines = (line for block in one.file.blocks() for line in block)
            for line in (line for line in lines if (line.table, line.id) in rows):
                row = line.table, line.id
                change = renewed.settle(change_of(line, one.revision), number)
                if change.new is None:
                    del values[row], given[row]
                    continue
                if change.old is None:
                    values[row], given[row] = {}, {"": one.revision}
                changed = change.new if change.old is None else changed_columns(change.old, change.new)
                given[row] |= dict.fromkeys(changed, one.revision)
                values[row] |= change.new
        tables = self.tables_at(revision)
        for row, found in values.items():
            columns = tables[row[0]].columns if row[0] in tables else found
            # What a column held went with it.
            yield row, {name: value for name, value in found.items() if name in columns}, given[row]

    def held(self, revision: str, rows: Collection[tuple[str, str]]) -> Iterator[tuple[str, str, int]]:
        """For some rows (table, seed id), each position up to `revision` at which the seed had them."""
        there: set[tuple[str, str]] = set()
        position = 0
        for one in self.between(SEED_BASE, revision) if rows else ():
            for line in (line for block in one.file.blocks() for line in block):
                if line.seed_row in rows:
                    comes = bool(line.new and not line.release) or line.returns
                    there -= {line.seed_row}
                    there |= {line.seed_row} if comes else set()
            for _ in one.every:
                position += 1
                yield from ((*row, position) for row in there)

    def _header(self, one: SeedRevision) -> Header:
        header = one.file.header()
        expected = self.sha256_of(one.parent)
        if (header.parent, header.parent_sha256) != (one.parent, expected):
            raise ChangeFileError(
                one.file.path.name,
                f"was made from another parent than {one.parent} as it is now",
                f"delete revision {one.revision} with its change file and generate it again:"
                ' alembic revision --autogenerate -m "…"',
            )
        return header
