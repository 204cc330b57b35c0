"""The conflicts of a run as a file for people, and the file with what they decided.

`-x seed_report=FILE` gets a line of JSON for each conflict, with a place for a decision; `-x
seed_decisions=FILE` takes such a file back. A decision holds for the conflict that it was made for alone: the
same cell of the same move, and the same values.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from seedrail.errors import FAULT_LIMIT, OptionError, SeedError
from seedrail.files import Unreadable, read_document
from seedrail.merge.report.answers.report_file import ReportFile
from seedrail.quoting import one_line, quoted, shown
from seedrail.run_options import Policy

Asked = tuple[str, str, str, str, str | None]
"""A conflict: table, seed id, column (an empty one for the row itself), kind, and the foreign key it is by.

One cell may have several: an edit that is overwritten, by a link that leads nowhere.
"""

_DECIDABLE = frozenset({"edited", "exists", "edited row", "edited since", "edited before", "deleted"})
"""The kinds of conflicts in which the seed's value may win: no policy takes rows that others point at."""

_KINDS = _DECIDABLE | {"referenced", "unlinked"}


TALLIES = ("inserted", "updated", "deleted", "adopted", "kept", "overwritten", "left out", "links filled")
"""What a run counts for people, by table."""


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A line of the file: a conflict, and what was decided of it.

    `row` are the natural key's columns, links as their parents' keys; `id` is the seed id. Values are the
    database's text. `by` is the foreign key by which `rows` rows point at a row that would go.
    """

    move: tuple[str, str]
    table: str
    id: str
    kind: str
    row: Any = None
    column: str = ""
    expected: str | None = None
    wanted: str | None = None
    found: str | None = None
    by: str | None = None
    rows: int | None = None
    choices: list[str] = []
    decision: Literal["keep", "overwrite"] | None = None

    @property
    def conflict(self) -> Asked:
        """Which conflict it is, of those of its move."""
        return self.table, self.id, self.column, self.kind, self.by


@dataclass(frozen=True)
class Decision:
    """What was decided of one conflict, and in which line of the file."""

    line: int
    entry: Entry

    @property
    def overwrite(self) -> bool:
        """Whether the seed's value wins."""
        return self.entry.decision == Policy.OVERWRITE.value

    def fault(self, now: Entry | None) -> str | None:
        """Why it does not hold for a conflict as it is now, or for none; None where it does."""
        made = self.entry
        name = ", ".join(map(shown, _words(made.row))) or shown(made.id)
        where = f"line {self.line}: {shown(made.table)} ({name})"
        if now is None:
            # What follows from another conflict is gone where that one was decided otherwise.
            return None if made.kind not in _DECIDABLE else f"{where}: there is no such conflict (any more)"
        if made.decision not in now.choices:
            return f"{where}: a way down brings no row back that somebody deleted"
        for name in ("kind", "found", "wanted", "expected"):
            before, value = getattr(made, name), getattr(now, name)
            if before != value:
                column = f": {shown(made.column)}" if made.column else ""
                return f"{where}{column}: made for {name} {quoted(before)}, but it is {quoted(value)} now"
        return None


def _words(row: Any) -> Iterator[str]:
    """A natural key's parts, parents' parts in place of links."""
    if isinstance(row, dict):
        for value in row.values():
            yield from _words(value)
    elif row is not None:
        yield str(row)


class DecisionError(SeedError):
    """Decisions were made for conflicts that are others by now."""

    def __init__(self, faults: Sequence[str]) -> None:
        lines = [
            f"{len(faults)} decision{'s do' if len(faults) > 1 else ' does'} not fit the database any more;"
            " nothing was written",
            *(f"  - {fault}" for fault in faults[:FAULT_LIMIT]),
        ]
        if len(faults) > FAULT_LIMIT:
            lines.append(f"  … and {len(faults) - FAULT_LIMIT} more")
        lines.append("  make a new report (seed_report) and decide these anew")
        super().__init__("\n".join(lines))


def choices(kind: str, *, upgrade: bool = True) -> list[str]:
    """What may be decided of a kind of conflict; a way down brings no row back that somebody deleted."""
    decidable = kind in _DECIDABLE and (upgrade or kind != "deleted")
    return [Policy.KEEP, Policy.OVERWRITE] if decidable else [Policy.KEEP]


class Answers:
    """A run's report, and the decisions that it was given; both may be absent."""

    def __init__(self, report: str = "", decisions: str = "") -> None:
        self.report = Path(report) if report else None
        self.name = decisions
        self._made = _read(Path(decisions)) if decisions else {}
        self._used: set[tuple[str, str]] = set()
        self._file: ReportFile | None = None
        if self.report is not None and not os.path.isdir(self.report.parent):
            raise OptionError(f"seed_report: there is no folder {shown(self.report.parent)}")

    def __bool__(self) -> bool:
        """Whether the run was asked for either."""
        return self.report is not None or bool(self.name)

    def begin(self, database: Collection[Path] = ()) -> None:
        """Begin the report of a run that works on the files of a `database`."""
        if self.report is not None and self._file is None:
            self._file = ReportFile(self.report, database)

    def refuse_unknown(self, tables_at: Callable[[str], Collection[str] | None]) -> None:
        """Raise OptionError where a decision is of no move or table of this history: nothing would read it.

        `tables_at` gives the seeded tables at a revision, or None where there is no such revision.
        """
        for move, made in self._made.items():
            tables = {revision: tables_at(revision) for revision in move}
            known = {name for names in tables.values() for name in names or ()}
            nowhere = [revision for revision, names in tables.items() if names is None]
            for one in made:
                fault = f"there is no seed revision {shown(nowhere[0])}" if nowhere else ""
                if not fault and one.entry.table not in known:
                    fault = f"{shown(one.entry.table)} is no seeded table of this move"
                if fault:
                    raise OptionError(f"seed_decisions: {shown(self.name)}:{one.line}: {fault}")

    def of(self, source: str, target: str) -> list[Decision]:
        """The decisions made for a move."""
        self._used.add((source, target))
        return self._made.get((source, target), [])

    def write(self, entries: Iterable[Entry]) -> None:
        """Add conflicts to the report."""
        if self._file is not None:
            for entry in entries:
                self._file.write(msgspec.json.encode(entry))

    def end(self) -> None:
        """The report is whole: it takes its place."""
        if self._file is not None:
            file, self._file = self._file, None
            file.end()

    def abandon(self) -> None:
        """The run ended by something else than conflicts: what was there stays."""
        if self._file is not None:
            self._file.abandon()
            self._file = None

    @property
    def unused(self) -> int:
        """How many decisions were made for moves that this run did not make."""
        return sum(len(made) for move, made in self._made.items() if move not in self._used)


def _read(path: Path) -> Mapping[tuple[str, str], list[Decision]]:
    made: dict[tuple[str, str], list[Decision]] = {}
    decoder, seen = msgspec.json.Decoder(Entry), set()
    try:
        lines = read_document(path).split(b"\n")
    except Unreadable as why:
        raise OptionError(f"seed_decisions: {shown(path)} {why}") from None
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        where = f"seed_decisions: {shown(path)}:{number}"
        try:
            entry = decoder.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise OptionError(f"{where}: is no line of a seed_report: {one_line(str(error))}") from None
        if entry.kind not in _KINDS:
            raise OptionError(
                f"{where}: {shown(entry.kind)} is no kind of conflict: {', '.join(sorted(_KINDS))}"
            )
        if entry.decision is None:
            continue
        if entry.decision not in choices(entry.kind):
            raise OptionError(
                f"{where}: {shown(entry.kind)} cannot be decided as {entry.decision}: rows that others point"
                " at stay, and links lead to no row that is gone"
            )
        if (entry.move, entry.conflict) in seen:
            raise OptionError(f"{where}: is decided twice")
        seen.add((entry.move, entry.conflict))
        made.setdefault(entry.move, []).append(Decision(number, entry))
    return made
