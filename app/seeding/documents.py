"""Reads seed documents into canonical rows, or says everything that is wrong with them at once."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from app.seeding.errors import DocumentError
from app.seeding.faults import Fault, Path, line_of
from app.seeding.identity import seed_id_of
from app.seeding.sets import SeedCatalog, SeedRow, SeedSet
from app.seeding.tables import FrozenTable, row_key

DEPTH_LIMIT = 64
KEY_BYTES_LIMIT = 2_600
"""A natural key is indexed; PostgreSQL refuses index entries beyond about 2,700 bytes."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

Rows = dict[str, dict[str, dict[str, Any]]]
"""Canonical rows by table and seed id."""


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
    """A document's name and text, for pointing into it."""

    file: str
    text: str

    def fault(self, path: Path, message: str) -> Fault:
        return Fault(self.file, path, line_of(self.text, path), message)


class _Repeated(dict[str, Any]):
    """A JSON object that had a key twice."""

    repeated: tuple[str, ...] = ()


def read_rows(catalog: SeedCatalog) -> Rows:
    """The rows that the documents ask for; DocumentError with every fault of every document."""
    faults: list[Fault] = []
    placed: list[_Placed] = []
    faulty: set[str] = set()
    for one in catalog.sets:
        rows, found = _read_set(one, catalog.tables)
        placed += rows
        faults += found
        if found:
            faulty |= {declared.table.name for declared in one.tables}
    rows_by_table: Rows = {name: {} for name in catalog.tables}
    faults += _check_unique(placed, rows_by_table)
    faults += _check_links(placed, rows_by_table, faulty)
    if faults:
        raise DocumentError(faults)
    return rows_by_table


def _read_set(one: SeedSet, tables: dict[str, FrozenTable]) -> tuple[list[_Placed], list[Fault]]:
    source, elements, faults = _parse(one.document)
    placed: list[_Placed] = []
    for index, element in enumerate(elements):
        problems = list(_unstorable(element, (index,)))
        if not problems:
            try:
                model = one.schema.model_validate(element)
            except ValidationError as error:
                problems = [_explain(problem, index) for problem in error.errors()]
            else:
                rows, problems = _canonical_rows(one.flatten(model), index, tables, source)
                placed += rows
        faults += [source.fault(path, message) for path, message in problems]
    return placed, faults


def _parse(document: FilePath) -> tuple[_Source, list[Any], list[Fault]]:
    """The document's elements; a document that is no JSON list has faults and no elements."""
    file = _shown(document)
    try:
        raw = document.read_bytes()
    except OSError as error:
        return _Source(file, ""), [], [Fault(file, (), None, f"cannot be read: {error.strerror}")]
    if raw.startswith(b"\xef\xbb\xbf"):
        return _unparsed(file, 1, "starts with a byte-order mark; save it as UTF-8 without one")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _unparsed(file, line, f"is not UTF-8 (byte 0x{raw[error.start]:02x})")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_not_a_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        return _unparsed(
            file, error.lineno, f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
            f" (column {error.colno})"
        )  # fmt: skip
    except RecursionError:
        return _unparsed(file, None, f"is nested deeper than {DEPTH_LIMIT} levels")
    source = _Source(file, text)
    if not isinstance(value, list):
        return source, [], [source.fault((), f"must be a list, not {_json_type(value)}")]
    return source, value, []


def _unparsed(file: str, line: int | None, message: str) -> tuple[_Source, list[Any], list[Fault]]:
    return _Source(file, ""), [], [Fault(file, (), line, message)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    marked = _Repeated(members)
    keys = [key for key, _ in pairs]
    marked.repeated = tuple(key for key in members if keys.count(key) > 1)
    return marked


def _not_a_number(constant: str) -> float:
    return float(constant)


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        # Python refuses absurdly long integers; the walk reports what is not finite.
        return math.inf


def _unstorable(element: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """What JSON's syntax allows and no database (or no careful reader) does."""
    waiting: list[tuple[Any, Path]] = [(element, path)]
    while waiting:
        value, path = waiting.pop()
        if len(path) > DEPTH_LIMIT:
            yield path[:DEPTH_LIMIT], f"is nested deeper than {DEPTH_LIMIT} levels"
        elif isinstance(value, str):
            yield from _unstorable_text(value, path, "")
        elif isinstance(value, float) and not math.isfinite(value):
            yield path, "is not a finite number"
        elif isinstance(value, dict):
            for key in getattr(value, "repeated", ()):
                yield (*path, key), "is a duplicate key of its object"
            for key, member in value.items():
                yield from _unstorable_text(key, path, "a key ")
                waiting.append((member, (*path, key)))
        elif isinstance(value, list):
            waiting += [(member, (*path, index)) for index, member in enumerate(value)]


def _unstorable_text(text: str, path: Path, prefix: str) -> Iterator[tuple[Path, str]]:
    match = _UNSTORABLE.search(text)
    if match:
        character = ord(match.group())
        kind = "a lone surrogate" if character else "a NUL character"
        yield path, f"{prefix}contains {kind} (U+{character:04X}), which no database stores"


def _explain(problem: Any, index: int) -> tuple[Path, str]:
    """A pydantic error as a path and a sentence."""
    path = (index, *(part for part in problem["loc"] if part != "[key]"))
    match problem["type"]:
        case "extra_forbidden":
            return path, "unknown key"
        case "missing":
            return path, "required key is missing"
        case "value_error":
            return path, str(problem["ctx"]["error"])
    message = problem["msg"]
    value = problem["input"]
    found = f": {_json_type(value)}" if isinstance(value, dict | list) else f": found {_shorten(value)}"
    return path, f"{message[:1].lower()}{message[1:]}{found}"


def _canonical_rows(
    rows: Iterable[SeedRow], index: int, tables: dict[str, FrozenTable], source: _Source
) -> tuple[list[_Placed], list[tuple[Path, str]]]:
    placed: list[_Placed] = []
    problems: list[tuple[Path, str]] = []
    for row in rows:
        table = tables[row.table]
        values: dict[str, Any] = {}
        bad: list[tuple[Path, str]] = []
        path = (index, *row.path)
        for name, column in table.columns.items():
            try:
                values[name] = column.type.canonical(row.values.get(name))
            except ValueError as error:
                bad.append(((*path, *row.paths.get(name, (_camel(name),))), str(error)))
        if not bad:
            key = row_key(table, values)
            size = sum(len(str(part).encode()) for part in key)
            if size > KEY_BYTES_LIMIT:
                bad.append((path, f"the natural key takes {size} bytes, at most {KEY_BYTES_LIMIT} fit"))
            id_ = seed_id_of(table.name, key)
            placed.append(_Placed(table, id_, values, source, path, row.paths))
        problems += bad
    return placed, problems


def _check_unique(placed: Iterable[_Placed], rows: Rows) -> Iterator[Fault]:
    first: dict[tuple[str, str], _Placed] = {}
    for row in placed:
        before = first.setdefault((row.table.name, row.id), row)
        if before is row:
            rows[row.table.name][row.id] = row.values
            continue
        line = line_of(before.source.text, before.path)
        names = ", ".join(_camel(name) for name in row.table.key)
        yield row.source.fault(row.path, f"duplicate natural key ({names}): the same as on line {line}")


def _check_links(placed: Iterable[_Placed], rows: Rows, faulty: set[str]) -> Iterator[Fault]:
    for row in placed:
        for column, key in row.table.foreign_keys.items():
            target = row.values[column]
            if target is None or key.table not in rows or target in rows[key.table]:
                continue
            # A parent whose own document has faults may be the one that is missing.
            if key.table not in faulty:
                yield row.source.fault(row.place(column), f"nobody defines this row of {key.table}")
    yield from _check_cycles(placed, rows)


def _check_cycles(placed: Iterable[_Placed], rows: Rows) -> Iterator[Fault]:
    """Rows whose self-reference leads back to themselves, each circle reported once."""
    done: set[tuple[str, str]] = set()
    for row in placed:
        for column, key in row.table.foreign_keys.items():
            if key.table != row.table.name:
                continue
            chain: list[str] = []
            current: str | None = row.id
            while current is not None and (row.table.name + column, current) not in done:
                done.add((row.table.name + column, current))
                chain.append(current)
                current = rows[key.table].get(current, {}).get(column)
                if current in chain:
                    length = len(chain) - chain.index(current)
                    yield row.source.fault(
                        row.place(column),
                        "is its own ancestor" if length == 1 else f"leads into a circle of {length} rows",
                    )


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    for kind, name in names.items():
        if isinstance(value, kind):
            return name
    return "null" if value is None else "a number"


def _shorten(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, float) else repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"


def _shown(document: FilePath) -> str:
    try:
        return str(document.relative_to(FilePath.cwd()))
    except ValueError:
        return str(document)
