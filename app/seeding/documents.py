"""Reads seed documents into canonical rows, or says everything that is wrong with them at once."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from app.seeding.errors import DocumentError, SetupError
from app.seeding.faults import Fault, Path, Text, explain, line_too_deep, show_value
from app.seeding.identity import seed_id_of
from app.seeding.sets import SeedCatalog, SeedRow, SeedSet
from app.seeding.tables import FrozenTable, row_key

DEPTH_LIMIT = 64
KEY_BYTES_LIMIT = 2_600
"""A natural key is indexed; PostgreSQL refuses index entries beyond about 2,700 bytes."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Rows = dict[str, dict[str, dict[str, Any]]]
"""Canonical rows by table and seed id."""

Problem = tuple[Path, str]
"""A place in a document and what is wrong there."""


@dataclass(frozen=True)
class _Placed:
    """A canonical row with the place it came from."""

    table: FrozenTable
    id: str
    values: dict[str, Any]
    source: "_Source"
    path: Path
    paths: Any

    def place(self, column: str) -> Path:
        return (*self.path, *self.paths.get(column, (_camel(column),)))


@dataclass(frozen=True)
class _Source:
    """A document's name, its text for pointing into it, and its elements."""

    file: str
    text: Text
    elements: list[Any]

    def fault(self, path: Path, message: str, twin: Path | None = None) -> Fault:
        return Fault(self.file, path, message, self.text, twin)

    def value(self, path: Path) -> Any:
        """The value at a path, or _ABSENT where the document has none."""
        value: Any = self.elements
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return _ABSENT
        return value


_ABSENT = object()


class _Repeated(dict[str, Any]):
    """A JSON object that had a key twice."""

    repeated: tuple[str, ...] = ()


class _TooLong(float):
    """An integer of so many digits that Python refuses to read it."""


@dataclass
class _Lost:
    """What the elements that have faults may have defined, for the rows that refer to them."""

    everything: bool = False
    keys: set[str] = field(default_factory=set)
    scalars: set[Any] = field(default_factory=set)

    def add(self, element: Any, problems: Iterable[Problem]) -> None:
        """An element with faults: the values it holds, and the keys whose value is not known."""
        self.keys.update(path[-1] for path, _ in problems if isinstance(path[-1], str))
        self.everything |= not isinstance(element, dict)
        self.scalars.update(value for _, value in _scalars(element, ()))

    def may_hold(self, reference: Any, path: Path) -> bool:
        """Whether a row that is referred to in these words may be one of them."""
        return self.everything or all(
            value in self.scalars or not self.keys.isdisjoint(where)
            for where, value in _scalars(reference, path[-1:])
        )


def read_rows(catalog: SeedCatalog) -> Rows:
    """The rows that the documents ask for; DocumentError with every fault of every document."""
    faults: list[Fault] = []
    placed: list[_Placed] = []
    lost: dict[str, _Lost] = {}
    for one in catalog.sets:
        rows, found, missing = _read_set(one, catalog.tables)
        placed += rows
        faults += found
        if found:
            lost |= {declared.table.name: missing for declared in one.tables}
    rows_by_table: Rows = {name: {} for name in catalog.tables}
    faults += _check_unique(placed, rows_by_table)
    faults += _check_links(placed, rows_by_table, lost)
    if faults:
        raise DocumentError(faults)
    return rows_by_table


def _read_set(one: SeedSet, tables: dict[str, FrozenTable]) -> tuple[list[_Placed], list[Fault], _Lost]:
    parsed = _parse(one.document)
    if isinstance(parsed, Fault):
        return [], [parsed], _Lost(everything=True)
    placed: list[_Placed] = []
    faults: list[Fault] = []
    lost = _Lost()
    for index, element in enumerate(parsed.elements):
        rows, problems = _read_element(one, index, tables, parsed)
        placed += rows
        if problems:
            lost.add(element, problems)
            faults += [parsed.fault(path, message) for path, message in problems]
    return placed, faults, lost


def _read_element(
    one: SeedSet, index: int, tables: dict[str, FrozenTable], source: _Source
) -> tuple[list[_Placed], list[Problem]]:
    element = source.elements[index]
    problems = list(dict.fromkeys(_unstorable(element, (index,))))
    try:
        model = one.schema.model_validate(element)
    except ValidationError as error:
        explained = (
            explain(problem, element, index)
            for problem in error.errors(include_url=False)
            if problem["type"] != "string_unicode"
        )
        # What no database stores is no valid text or number either: it is told once.
        told = {path for path, _ in problems}
        problems += [problem for problem in dict.fromkeys(explained) if problem[0] not in told]
    if problems:
        return [], problems
    return _canonical_rows(one.flatten(model), index, tables, source)


def _parse(document: FilePath) -> _Source | Fault:
    """The document, or why it is no JSON list."""
    file = _shown(document)
    try:
        raw = document.read_bytes()
    except OSError as error:
        return Fault(file, (), f"cannot be read: {error.strerror}")
    if raw.startswith(b"\xef\xbb\xbf"):
        return Fault(file, (), "starts with a byte-order mark; save it as UTF-8 without one", 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Fault(file, (), f"is not UTF-8 (byte 0x{raw[error.start]:02x})", line)
    if not text.strip():
        return Fault(file, (), "is empty: it must hold a JSON list, if only []", 1)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=float, parse_int=_integer)
    except json.JSONDecodeError as error:
        problem = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at").removesuffix(" starting")
        message = f"is not JSON: {problem} (column {error.colno})"
        return Fault(file, (), message, error.lineno)
    except RecursionError:
        message = f"is nested deeper than {DEPTH_LIMIT} levels"
        return Fault(file, (), message, line_too_deep(text, DEPTH_LIMIT))
    if not isinstance(value, list):
        return Fault(file, (), f"must be a list of objects, not {show_value(value)}", Text(text))
    return _Source(file, Text(text), value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    marked = _Repeated(members)
    counts = Counter(key for key, _ in pairs)
    marked.repeated = tuple(key for key in members if counts[key] > 1)
    return marked


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return _TooLong("inf")


def _unstorable(element: Any, path: Path) -> Iterator[Problem]:
    """What JSON's syntax allows and no database (or no careful reader) does."""
    waiting: list[tuple[Any, Path]] = [(element, path)]
    while waiting:
        value, path = waiting.pop()
        if len(path) > DEPTH_LIMIT:
            yield path[:DEPTH_LIMIT], f"is nested deeper than {DEPTH_LIMIT} levels"
        elif isinstance(value, str):
            yield from _unstorable_text(value, path, "contains")
        elif isinstance(value, _TooLong):
            yield path, "has too many digits for any database"
        elif isinstance(value, float) and not math.isfinite(value):
            yield path, "is not a finite number"
        elif isinstance(value, dict):
            for key in getattr(value, "repeated", ()):
                yield (*path, key), "is a duplicate key of its object"
            for key in value:
                yield from _unstorable_text(key, (*path, key), "is a key with")
            waiting += [(member, (*path, key)) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(member, (*path, index)) for index, member in enumerate(value)][::-1]


def _unstorable_text(text: str, path: Path, verb: str) -> Iterator[Problem]:
    match = _UNSTORABLE.search(text)
    if match:
        character = ord(match.group())
        kind = "a lone surrogate" if character else "a NUL character"
        yield path, f"{verb} {kind} (U+{character:04X}), which no database stores"


def _canonical_rows(
    rows: Iterable[SeedRow], index: int, tables: dict[str, FrozenTable], source: _Source
) -> tuple[list[_Placed], list[Problem]]:
    placed: list[_Placed] = []
    problems: list[Problem] = []
    for row in rows:
        table = _table_of(row, tables)
        blank = _Placed(table, "", {}, source, (index, *row.path), row.paths)
        values, bad = _canonical_values(blank, row)
        if not bad:
            key = row_key(table, values)
            bad = list(_too_large(blank, key))
            placed.append(_Placed(table, seed_id_of(table.name, key), values, source, blank.path, row.paths))
        problems += bad
    return placed, problems


def _table_of(row: SeedRow, tables: dict[str, FrozenTable]) -> FrozenTable:
    """The row's table; SetupError where a value would be dropped without a word."""
    table = tables.get(row.table)
    unknown = [row.table] if table is None else sorted(set(row.values) - set(table.columns))
    if table is None or unknown:
        raise SetupError(
            f"the seed set's flatten() fills what is not seeded: {row.table}: {', '.join(unknown)}"
        )
    return table


def _canonical_values(blank: _Placed, row: SeedRow) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    bad: list[Problem] = []
    for name, column in blank.table.columns.items():
        try:
            values[name] = column.type.canonical(row.values.get(name))
            if values[name] is None and not column.nullable:
                raise ValueError("must have a value, the column is NOT NULL")
        except ValueError as error:
            bad.append((blank.place(name), str(error)))
    return values, bad


def _too_large(row: _Placed, key: Iterable[Any]) -> Iterator[Problem]:
    sizes = {name: len(str(part).encode()) for name, part in zip(row.table.key, key, strict=True)}
    size = sum(sizes.values())
    if size > KEY_BYTES_LIMIT:
        place = row.place(max(sizes, key=lambda name: sizes[name]))
        yield place, f"the natural key takes {size} bytes, at most {KEY_BYTES_LIMIT} fit"


def _check_unique(placed: Iterable[_Placed], rows: Rows) -> Iterator[Fault]:
    first: dict[tuple[str, str], _Placed] = {}
    repeated: set[tuple[str, str | int]] = set()
    for row in placed:
        before = first.setdefault((row.table.name, row.id), row)
        if before is row:
            rows[row.table.name][row.id] = row.values
            continue
        element = (row.source.file, row.path[0])
        # An element that repeats another repeats its children, too: that is one fault.
        if element in repeated and before.path[0] != row.path[0]:
            continue
        repeated.add(element)
        names = ", ".join(_camel(name) for name in row.table.key)
        yield row.source.fault(row.path, f"duplicate natural key ({names})", before.path)


def _check_links(placed: list[_Placed], rows: Rows, lost: dict[str, _Lost]) -> Iterator[Fault]:
    for row in placed:
        for column, key in row.table.foreign_keys.items():
            target = row.values[column]
            if target is None or key.table not in rows or target in rows[key.table]:
                continue
            place = row.place(column)
            written = row.source.value(place)
            # A parent that has faults of its own may be the one that is missing.
            if key.table in lost and (written is _ABSENT or lost[key.table].may_hold(written, place)):
                continue
            shown = "" if written is _ABSENT else f": {show_value(written, whole=True)}"
            yield row.source.fault(place, f"nobody defines this row of {key.table}{shown}")
    yield from _check_cycles(placed, rows)


def _check_cycles(placed: list[_Placed], rows: Rows) -> Iterator[Fault]:
    """Rows whose self-reference leads back to themselves: each circle once, at its first row."""
    for name, column in _self_references(placed):
        # The order of `rows` is that of the documents.
        circles = _circles({id_: row[column] for id_, row in rows[name].items()})
        if not circles:
            continue
        by_id = {row.id: row for row in reversed(placed) if row.table.name == name}
        for id_, length in circles:
            row, through = by_id[id_], f", in a circle of {length} rows" if length > 1 else ""
            yield row.source.fault(row.place(column), f"is its own ancestor{through}")


def _self_references(placed: Iterable[_Placed]) -> list[tuple[str, str]]:
    tables = {row.table.name: row.table for row in placed}
    return [
        (table.name, column)
        for table in tables.values()
        for column, key in table.foreign_keys.items()
        if key.table == table.name
    ]


def _circles(parents: dict[str, str | None]) -> list[tuple[str, int]]:
    """A member of each circle, the first in order, and the circle's length."""
    order = {id_: number for number, id_ in enumerate(parents)}
    found: list[tuple[str, int]] = []
    done: set[str] = set()
    for id_ in parents:
        chain: dict[str, int] = {}
        current: str | None = id_
        while current is not None and current not in done and current not in chain:
            chain[current] = len(chain)
            current = parents.get(current)
        if current in chain:
            circle = list(chain)[chain[current] :]
            found.append((min(circle, key=lambda one: order.get(one, len(order))), len(circle)))
        done.update(chain)
    return found


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    waiting: list[tuple[Any, Path]] = [(value, path)]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, dict):
            waiting += [(member, (*path, key)) for key, member in value.items()]
        elif isinstance(value, list):
            waiting += [(member, path) for member in value]
        else:
            yield path, value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _shown(document: FilePath) -> str:
    try:
        return str(document.relative_to(FilePath.cwd()))
    except (ValueError, OSError):
        return str(document)
