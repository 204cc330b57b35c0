"""`seedrail textconv`: a change file in words, as git compares it; all that it says, by itself alone.

git gives the path of a copy, and ends its own command where a conversion fails. So what is no change file,
or is none any more, is shown as it is.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seedrail.commands.history.render import counted, row_lines, value_text
from seedrail.commands.history.show import Names, RowDiff, row_diff
from seedrail.errors import ChangeFileError, OptionError
from seedrail.files import opened
from seedrail.history.changefile import ChangeFile, unpacked
from seedrail.history.lines import Line
from seedrail.history.rownames import spoken
from seedrail.quoting import escaped, one_line, shown
from seedrail.schema.identity import canonical_json
from seedrail.schema.tables import FrozenTable

_TITLES = ("format", "parent", "revision", "tables")


def in_words(path: Path) -> Iterator[str]:
    """The lines of a file in words, or as they are; OptionError where it cannot be opened."""
    try:
        with opened(path) as file:
            empty = not file.read(1)
    except OSError as error:
        raise OptionError(f"{shown(path)} cannot be read: {one_line(error.strerror or error)}") from None
    if empty:
        return
    try:
        # Whole, before a line of it is written.
        yield from list(_told(path))
    except ChangeFileError as error:
        yield f"no change file, {error.problem}; as it is:"
        yield ""
        yield from _as_it_is(path)


def _told(path: Path) -> Iterator[str]:
    entry = _first_line(path)
    file = ChangeFile(path, entry["revision"], "")
    tables = file.header().tables
    lines = [line for block in file.blocks() for line in block]
    names = _names(lines, tables)
    rows: list[RowDiff] = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(row_diff(line.change(file.revision), tables[line.table], names))
        except (ValueError, KeyError, RecursionError):
            raise _not_one(path, f"line {number} is not a row change") from None
    yield f"{shown(file.revision)}, after {shown(entry['parent']['revision'])}: {counted(rows)}"
    for row, line in zip(rows, lines, strict=True):
        yield ""
        yield from row_lines(row)
        yield from _released(row, line)
    yield from _header(entry)


def _first_line(path: Path) -> dict[str, Any]:
    """The header as it stands there; what it lacks is said by whoever reads it."""
    try:
        with opened(path) as file:
            entry = json.loads(unpacked(file).readline())
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        raise _not_one(path, "line 1 is not a header") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("revision"), str):
        raise _not_one(path, "line 1 is not a header")
    return entry


def _not_one(path: Path, problem: str) -> ChangeFileError:
    return ChangeFileError(path.name, problem, "")


def _names(lines: list[Line], tables: Mapping[str, FrozenTable]) -> Names:
    """Rows by what this file says of them, and by their ids: a link may lead out of the file."""
    words = {line.seed_row: _words(line, tables.get(line.table)) for line in lines}

    def name(table: str, id_: str) -> str:
        known = words.get((table, id_))
        return f"{spoken(known, id_)} {shown(id_)}" if isinstance(known, dict) else f"({shown(id_)})"

    return name


def _words(line: Line, table: FrozenTable | None) -> Any:
    """A line's natural key; in format 1, which does not say it, that of a whole row."""
    if line.row:
        return json.loads(bytes(line.row))
    if table is None or bool(line.old) == bool(line.new):
        return None
    row = json.loads(bytes(line.new or line.old))
    return {name: row.get(name) for name in table.key} if isinstance(row, dict) else None


def _header(entry: Mapping[str, Any]) -> Iterator[str]:
    """Everything that it says, a line a piece, so that a column that comes is a line that comes."""
    yield ""
    yield f"format {entry['format']}, made from {escaped(canonical_json(entry['parent']))}"
    for table in entry["tables"]:
        yield ""
        yield f"table {shown(table['name'])}"
        yield from _members({name: one for name, one in table.items() if name != "name"})
    rest = {name: one for name, one in entry.items() if name not in _TITLES}
    if rest:
        yield ""
        yield from _members(rest)


def _members(entry: Mapping[str, Any]) -> Iterator[str]:
    for name, one in entry.items():
        label = shown(name)
        if isinstance(one, dict):
            parts = [(f"{label} {shown(key)}", part) for key, part in one.items()]
        elif isinstance(one, list) and any(isinstance(part, dict) for part in one):
            parts = [(label, part) for part in one]
        else:
            parts = [(label, one)]
        for title, part in parts:
            yield f"  {title}: {escaped(part if isinstance(part, str) else canonical_json(part))}"


def _released(row: RowDiff, line: Line) -> Iterator[str]:
    """What a row held that the seed lets go of: nothing happens to it, and it is in the file."""
    if row.kind == "release" and line.old:
        for column, value in json.loads(bytes(line.old)).items():
            yield f"    {shown(column)}: {value_text(value, link=False)}"


def _as_it_is(path: Path) -> Iterator[str]:
    with opened(path) as file:
        stream = unpacked(file)
        try:
            for line in stream:
                yield escaped(line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
        except (OSError, EOFError, zlib.error) as error:
            yield f"(it ends here: {one_line(error)})"
