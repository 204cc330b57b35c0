"""Reads seed documents into canonical rows, or says everything that is wrong with them at once."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from seedrail.documents.faults import DocumentError, Fault, explain, show_value
from seedrail.documents.integrity import Lost, Placed, Rows, check_links, check_unique, settle_defaults
from seedrail.documents.sets import SeedCatalog, SeedRow, SeedSet
from seedrail.documents.sources import Problem, Source, name_of, parse, parse_bytes
from seedrail.documents.texts import name_problem
from seedrail.errors import SetupError
from seedrail.progress import Progress
from seedrail.quoting import shown
from seedrail.schema.identity import seed_id_of
from seedrail.schema.tables import FrozenTable, row_key

KEY_BYTES_LIMIT = 2_600
"""A natural key is indexed; PostgreSQL refuses index entries beyond about 2,700 bytes."""


class Documents(NamedTuple):
    """What the documents ask for: rows, and the tables with the columns that they seed."""

    rows: Rows
    tables: dict[str, FrozenTable]


class Placements(NamedTuple):
    """The same, and where each row stands."""

    rows: Rows
    tables: dict[str, FrozenTable]
    placed: Sequence[Placed]


def read_rows(catalog: SeedCatalog) -> Rows:
    """The rows that the documents ask for; DocumentError with every fault of every document."""
    return read(catalog, {}).rows


def read(
    catalog: SeedCatalog, before: Mapping[str, FrozenTable], progress: Progress | None = None
) -> Documents:
    """What the documents ask for, after a seed state with the tables of `before`; DocumentError as above."""
    found = read_placed(catalog, before, progress=progress)
    return Documents(found.rows, found.tables)


def read_placed(
    catalog: SeedCatalog,
    before: Mapping[str, FrozenTable],
    instead: Mapping[str, bytes] | None = None,
    progress: Progress | None = None,
) -> Placements:
    """The same with the place of each row; `instead` are bytes by seed set, for those of its document."""
    with _no_garbage():
        return _read(catalog, before, instead or {}, progress or Progress(shown=False))


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Millions of objects come to stay: looking for cycles among them again and again takes long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(
    catalog: SeedCatalog,
    before: Mapping[str, FrozenTable],
    instead: Mapping[str, bytes],
    progress: Progress,
) -> Placements:
    faults: list[Fault] = []
    placed: list[Placed] = []
    lost: dict[str, Lost] = {}
    for one in catalog.sets:
        rows, found, missing = _read_set(one, catalog.tables, instead.get(one.name), progress)
        placed += rows
        faults += found
        if found:
            lost |= {declared.table.name: missing for declared in one.tables}
    progress.begin("checking documents", 0)
    tables, unnamed = settle_defaults(catalog.tables, before, placed)
    faults += unnamed
    rows_by_table: Rows = {name: {} for name in tables}
    faults += check_unique(placed, rows_by_table)
    faults += check_links(placed, rows_by_table, lost)
    if faults:
        raise DocumentError(faults)
    return Placements(rows_by_table, tables, placed)


def _read_set(
    one: SeedSet, tables: dict[str, FrozenTable], instead: bytes | None, progress: Progress
) -> tuple[list[Placed], list[Fault], Lost]:
    parsed = parse(one.document) if instead is None else parse_bytes(name_of(one.document), instead)
    if isinstance(parsed, Fault):
        return [], [parsed], Lost(everything=True)
    placed: list[Placed] = []
    faults: list[Fault] = []
    lost = Lost()
    progress.begin("reading documents", len(parsed.elements))
    for index, element in enumerate(parsed.elements):
        rows, problems = read_element(one, index, tables, parsed)
        placed += rows
        progress.work(1)
        progress.advance(len(rows))
        if problems:
            lost.add(element, problems)
            faults += [parsed.fault(path, message) for path, message in problems]
    return placed, faults, lost


def read_element(
    one: SeedSet, index: int, tables: dict[str, FrozenTable], source: Source
) -> tuple[list[Placed], list[Problem]]:
    """An element's rows, without defaults that others of their table settle; or what is wrong with it."""
    element = source.elements[index]
    problems = list(dict.fromkeys(source.unstorable(index)))
    try:
        model = one.schema.model_validate(element)
    except ValidationError as error:
        explained = (
            explain(problem, element, index, one.schema)
            for problem in error.errors(include_url=False)
            if problem["type"] != "string_unicode"
        )
        # What no database stores is no valid text or number either: it is told once.
        told = {path for path, _ in problems}
        problems += [problem for problem in dict.fromkeys(explained) if problem[0] not in told]
    told = {path for path, _ in problems}
    problems += [problem for problem in source.unreadable(index) if problem[0] not in told]
    if problems:
        return [], problems
    return _canonical_rows(_rows_of(one, model), index, tables, source)


def _rows_of(one: SeedSet, model: BaseModel) -> Iterator[SeedRow]:
    """The rows of an element; SetupError for anything else that a function may give."""
    rows: Any = one.flatten(model)
    if not isinstance(rows, Iterable):
        raise _no_row(one, rows)
    for row in rows:
        if not isinstance(row, SeedRow) or not isinstance(row.values, Mapping):
            raise _no_row(one, row)
        yield row


def _no_row(one: SeedSet, given: Any) -> SetupError:
    what = "None" if given is None else f"one {type(given).__name__}"
    if isinstance(given, SeedRow):
        what = "a SeedRow alone, without yield" if isinstance(given.values, Mapping) else "one without a dict"
    return SetupError(
        f"seed set {shown(one.name)}: flatten() must yield SeedRows with a dict of values, not {what}"
    )


def _canonical_rows(
    rows: Iterable[SeedRow], index: int, tables: dict[str, FrozenTable], source: Source
) -> tuple[list[Placed], list[Problem]]:
    placed: list[Placed] = []
    problems: list[Problem] = []
    for row in rows:
        table = _table_of(row, tables)
        values, bad = _canonical_values(table, row)
        key = () if bad else row_key(table, values)
        id_ = "" if bad else seed_id_of(table.name, key)
        one = Placed(table, id_, values, source, (index, *row.path), row.paths)
        if not bad:
            bad = _unreadable_names(table, key) or _too_large(table, key)
            placed.append(one)
        problems += [(one.place(column), message) for column, message in bad]
    return placed, problems


def _table_of(row: SeedRow, tables: dict[str, FrozenTable]) -> FrozenTable:
    """The row's table; SetupError where a value would be dropped without a word."""
    table = tables.get(row.table)
    if table is not None and row.values.keys() <= table.columns.keys():
        return table
    unknown = [row.table] if table is None else sorted(set(row.values) - set(table.columns))
    raise SetupError(f"the seed set's flatten() fills what is not seeded: {row.table}: {', '.join(unknown)}")


def _canonical_values(table: FrozenTable, row: SeedRow) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A row's values in their canonical form, and what is wrong with them by column.

    A column with a server default that the row does not name is left out for now.
    """
    values: dict[str, Any] = {}
    bad: list[tuple[str, str]] = []
    found = row.values.get
    for name, column in table.columns.items():
        value = found(name)
        if value is None:
            if column.default is not None and name not in row.values and name not in table.key:
                continue
            values[name] = None
            if not column.nullable:
                bad.append((name, "must have a value, the column is NOT NULL"))
            continue
        try:
            values[name] = column.type.canonical(value)
        except ValueError as error:
            bad.append((name, str(error)))
    return values, bad


def _unreadable_names(table: FrozenTable, key: Sequence[Any]) -> list[tuple[str, str]]:
    """The columns of a natural key that people could not read, or would take for another, and why."""
    bad: list[tuple[str, str]] = []
    for name, part in zip(table.key, key, strict=True):
        # The quick look comes first: nearly every name passes it.
        if isinstance(part, str) and not (part.isprintable() and part == part.strip()):
            problem = name_problem(part)
            if problem:
                bad.append((name, f"{problem}: found {show_value(part)}"))
    return bad


def _too_large(table: FrozenTable, key: Sequence[Any]) -> list[tuple[str, str]]:
    """The column to blame for a natural key that no index holds, and what is wrong with it."""
    if 4 * sum(map(len, map(str, key))) <= KEY_BYTES_LIMIT:
        return []
    sizes = {name: len(str(part).encode()) for name, part in zip(table.key, key, strict=True)}
    size = sum(sizes.values())
    if size <= KEY_BYTES_LIMIT:
        return []
    largest = max(sizes, key=lambda name: sizes[name])
    return [(largest, f"the natural key takes {size} bytes, at most {KEY_BYTES_LIMIT} fit")]
