"""`seedrail plan`: what a run would do, as text and as JSON."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from seedrail.errors import FAULT_LIMIT, OptionError
from seedrail.history.rownames import spoken
from seedrail.integration.look import Way
from seedrail.merge.report.answers import TALLIES
from seedrail.merge.report.conflicts import Conflict
from seedrail.merge.report.outcome import WORDS, RowChange, composed
from seedrail.quoting import escaped, numbered, shown, whole

NOTHING, CHANGES, CONFLICTS = 0, 10, 11
"""What the command ends with."""

_EACH, _ONCE = 25e-6, 0.5
"""Seconds that a run takes for each row that it compares and writes, and for itself, on a slow machine."""

_MARKS = {"insert": "+", "delete": "-", "update": "!"}


@dataclass(frozen=True)
class Chosen:
    """Which rows of a plan are shown: none unless asked for, those of one table, those with a value."""

    rows: bool = False
    table: str = ""
    where: str = ""

    @property
    def any(self) -> bool:
        """Whether rows were asked for."""
        return self.rows or bool(self.table or self.where)

    def holds(self) -> Callable[[RowChange], bool]:
        """The filter as a function; OptionError where `where` is no condition."""
        column, equals, value = self.where.partition("=")
        if self.where and not (equals and column):
            raise OptionError(f"--where must be COLUMN=VALUE, not {shown(self.where)}")

        def one(row: RowChange) -> bool:
            if self.table and row.table != self.table:
                return False
            if not self.where:
                return True
            named = row.row.get(column) if isinstance(row.row, dict) else None
            cells = [cell for cell in row.cells if cell.column == column]
            return named == value or any(value in (cell.before, cell.after) for cell in cells)

        return one


def exit_code(way: Way) -> int:
    """0 where nothing would happen, 11 where the run would be refused, else 10."""
    if way.undecided:
        return CONFLICTS
    return CHANGES if way.schema or way.seeds or any(way.counts.values()) else NOTHING


def rows_of(way: Way, chosen: Chosen) -> list[RowChange]:
    """The rows that are asked for, as the whole run leaves them."""
    holds = chosen.holds()
    if not chosen.any:
        return []
    _refuse_unknown(way, chosen)
    return list(filter(holds, composed([one.rows for one in way.outcomes])))


def _refuse_unknown(way: Way, chosen: Chosen) -> None:
    """Raise OptionError for a table or a column that no seed fills: of those, nothing is ever to be shown."""
    column = chosen.where.partition("=")[0]
    if chosen.table and chosen.table not in way.columns:
        known = ", ".join(map(shown, sorted(way.columns))) or "none yet"
        raise OptionError(f"--table: {shown(chosen.table)} is no seeded table; those are {known}")
    columns = set().union(*(way.columns[name] for name in way.columns if chosen.table in ("", name)))
    if column and column not in columns:
        known = ", ".join(map(shown, sorted(columns))) or "none yet"
        of = f" of {shown(chosen.table)}" if chosen.table else ""
        raise OptionError(f"--where: {shown(column)} is no seeded column{of}; those are {known}")


def seconds(way: Way) -> float:
    """How long the run will take, more or less: by the rows that it compares or writes."""
    return _ONCE + written(way) * _EACH


def duration(way: Way) -> str:
    """The same in words."""
    return f"about {seconds(way):.0f} s" if seconds(way) >= 1 else "less than a second"


def written(way: Way) -> int:
    """How many rows would be written."""
    return sum(n for (what, _), n in way.counts.items() if what in WORDS.values())


# -- text ------------------------------------------------------------------------------------------------


def as_text(way: Way, chosen: Chosen) -> Iterator[str]:
    """A summary, the conflicts, and the rows that are asked for as a diff."""
    rows = rows_of(way, chosen)
    yield from _heading(way)
    yield from _table(way)
    yield from _conflicts(way, all_=chosen.any)
    for row in rows:
        yield ""
        yield from _row(row)


def _heading(way: Way) -> Iterator[str]:
    at = ", ".join(way.heads) or "nothing"
    yield f"{'up' if way.up else 'down'} to {way.target} from {at}"
    if way.schema:
        yield f"  schema: {', '.join(way.schema)}"
    if way.seeds:
        yield f"  seeds: {', '.join(way.seeds)}"
    for name in way.left_out:
        yield f"  seed set {shown(name)} is left out here"
    if way.to_come:
        yield f"  tables to come: {', '.join(map(shown, way.to_come))}"
    if way.up and way.schema and way.outcomes:
        yield "  rows are compared as the schema is today: what its revisions do to them is not in this plan"
    stops = [one.target for one in way.outcomes[:-1] if not one.undecided]
    if stops and not way.up:
        yield f"  by way of {', '.join(stops)}, where the ledger met rows"


def _table(way: Way) -> Iterator[str]:
    counts = {key: n for key, n in way.counts.items() if n}
    yield ""
    if not counts:
        yield "no row would change" if way.outcomes or way.seeds else "no seeded row would change"
    else:
        tallies = [what for what in TALLIES if any(key[0] == what for key in counts)]
        tables = sorted({table for _, table in counts})
        width = max(len(shown(table)) for table in tables)
        yield " " * width + "".join(f"  {what:>10}" for what in tallies)
        for table in tables:
            numbers = (f"{counts[what, table]:,}" if (what, table) in counts else "." for what in tallies)
            yield f"{shown(table):{width}}" + "".join(f"  {number:>10}" for number in numbers)
        yield duration(way)


def _conflicts(way: Way, *, all_: bool) -> Iterator[str]:
    found = [entry for one in way.outcomes for entry in one.conflicts]
    if not found:
        return
    yield ""
    if way.undecided:
        yield f"the run would be refused: {numbered(way.undecided, 'conflict')}"
    else:
        yield f"{numbered(len(found), 'conflict')}, settled by the policy or by decisions:"
    for entry in found if all_ else found[:FAULT_LIMIT]:
        yield f"  {Conflict.of(entry)}"
    if len(found) > FAULT_LIMIT and not all_:
        yield f"  … and {len(found) - FAULT_LIMIT:,} more (--rows lists all)"


def _row(row: RowChange) -> Iterator[str]:
    yield f"{_MARKS[row.action]} {shown(row.table)} {spoken(row.row, row.id)}"
    for cell in row.cells:
        if row.action != "insert":
            yield f"-   {shown(cell.column)}: {whole(cell.before)}"
        if row.action != "delete":
            yield f"+   {shown(cell.column)}: {whole(cell.after)}"


# -- JSON ------------------------------------------------------------------------------------------------


def as_json(way: Way, chosen: Chosen) -> Iterator[str]:
    """One object."""
    told: dict[str, Any] = {
        **_summary(way),
        "conflicts": [_plain(entry) for one in way.outcomes for entry in one.conflicts],
    }
    if chosen.any:
        told["rows"] = [_plain(row) for row in rows_of(way, chosen)]
    yield json.dumps(told, ensure_ascii=False, indent=2)


def as_jsonl(way: Way, chosen: Chosen) -> Iterator[str]:
    """A line for the summary, then one for each conflict and row; `is` says which."""
    rows = rows_of(way, chosen)
    yield _line("plan", _summary(way))
    for one in way.outcomes:
        for entry in one.conflicts:
            yield _line("conflict", _plain(entry))
    for row in rows:
        yield _line("row", _plain(row))


def _summary(way: Way) -> dict[str, Any]:
    tables: dict[str, dict[str, int]] = {}
    for (what, table), number in sorted(way.counts.items()):
        if number:
            tables.setdefault(table, {})[what] = number
    return {
        "target": way.target,
        "up": way.up,
        "at": way.heads,
        "schema": way.schema,
        "seeds": way.seeds,
        "left_out": way.left_out,
        "tables_to_come": way.to_come,
        "tables": tables,
        "undecided": way.undecided,
        "seconds": round(seconds(way), 1),
    }


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)


def _line(kind: str, told: dict[str, Any]) -> str:
    return escaped(json.dumps({"is": kind, **told}, ensure_ascii=False))


RENDERERS: dict[str, Callable[[Way, Chosen], Iterator[str]]] = {
    "text": as_text,
    "json": as_json,
    "jsonl": as_jsonl,
}
