"""`seedrail export TABLE`: rows as JSON, and whether the set's document would read them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from seedrail.commands.export.edits import UnwritableDocument
from seedrail.errors import FAULT_LIMIT
from seedrail.files import Replacement, Unwritable, put_in_place
from seedrail.history.rownames import spoken
from seedrail.integration.export.rows import TableRows
from seedrail.quoting import escaped, numbered, shown


def as_json(found: TableRows) -> Iterator[str]:
    """A list with an object a row."""
    yield from json.dumps(found.rows, ensure_ascii=False, indent=2).split("\n")


def as_lines(found: TableRows) -> Iterator[str]:
    """A line a row."""
    for row in found.rows:
        yield json.dumps(row, ensure_ascii=False)


def put(path: Path, lines: Iterable[str]) -> None:
    """Write them to a file; UnwritableDocument where it cannot be put in place."""
    try:
        put_in_place([Replacement(path, "".join(f"{line}\n" for line in lines).encode())])
    except Unwritable as error:
        raise UnwritableDocument(f"cannot write {shown(path)}: {error.reason}") from None


def words(found: TableRows, *, quiet: bool) -> Iterator[str]:
    """How many rows there are, and which of them the document would not read back."""
    count, named = numbered(len(found.rows), "row"), shown(found.seed_set)
    if found.unread:
        number = numbered(len(found.unread), "row")
        yield f"as elements of {named}, {number} of {len(found.rows):,} would not become what is there:"
        for row, reason in found.unread[:FAULT_LIMIT]:
            yield f"  {spoken(row, '')}: {escaped(reason)}"
        if len(found.unread) > FAULT_LIMIT:
            yield f"  … and {len(found.unread) - FAULT_LIMIT:,} more"
    if quiet:
        return
    inside = f" with those of {_listed(found.inside)}" if found.inside else ""
    if not found.element:
        yield f"{count}{inside}, which are no elements of {named} but parts of some"
    elif found.rows and not found.unread:
        yield f"{count}{inside}: elements of {named} that become just what is there"
    else:
        yield f"{count}{inside}"
    if found.apart:
        yield f"not among them, for the schema has no place there: {_listed(found.apart)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(shown, names))
