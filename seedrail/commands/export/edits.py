"""`seedrail export --edited`: a diff of the documents, and what no document can say."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from seedrail.commands.export.diff import unified
from seedrail.errors import FAULT_LIMIT, SeedError
from seedrail.files import Replacement, Unwritable, put_in_place
from seedrail.history.rownames import spoken
from seedrail.integration.export.edited import Export, Told
from seedrail.quoting import escaped, numbered, shown

NOTHING, UNWRITTEN, LEFT = 0, 10, 12
"""What the command ends with: a change that waits to be written goes before edits that are left."""


class UnwritableDocument(SeedError):
    """A file cannot be put in place."""

    exit_code = 8


def put(export: Export) -> None:
    """Write the documents; UnwritableDocument where one cannot be put in place."""
    try:
        put_in_place([Replacement(one.path, one.after, one.before) for one in export.files])
    except Unwritable as error:
        raise UnwritableDocument(f"cannot write {shown(error.path)}: {error.reason}") from None


def exit_code(export: Export, *, written: bool) -> int:
    """10 where a change waits to be written, 12 where people's edits are left that somebody has to settle."""
    if export.files and not written:
        return UNWRITTEN
    return LEFT if any(not one.settled and not one.said for one in export.left) else NOTHING


def as_diff(export: Export) -> Iterator[str]:
    """The change of the documents as `git apply` and `patch -p1` take it."""
    for file in export.files:
        yield from unified(file.name, file.pieces)


def written(export: Export) -> Iterator[str]:
    """What was written."""
    for file in export.files:
        yield f"{file.name}: written"


def words(export: Export, *, written: bool, quiet: bool) -> Iterator[str]:
    """What is left and why, and what to do next."""
    left = [one for one in export.left if not one.settled and not one.said]
    yield from (f"left: {_named(one)}: {escaped(one.reason)}" for one in left)
    if quiet:
        return
    settled = [one for one in export.left if one.settled]
    yield from (f"passed over: {_named(one)}: {escaped(one.reason)}" for one in settled[:FAULT_LIMIT])
    if len(settled) > FAULT_LIMIT:
        yield f"… and {len(settled) - FAULT_LIMIT:,} more (--format json lists all)"
    said = sum(one.said for one in export.left)
    if export.made:
        done = "written" if written else "to write"
        yield f"{numbered(len(export.made), 'edit')} {done}, {len(left):,} left"
        yield _SHIP if written else "write it into the documents: the same command with --write"
    elif said:
        yield f"{numbered(said, 'edit')} that the documents say already"
        yield _SHIP
    elif not left:
        yield "no edit of a seeded row to export"


_SHIP = 'ship it: alembic revision --autogenerate -m "…"'


def as_json(export: Export, *, written: bool) -> Iterator[str]:
    """One object: the documents that change, the edits that they say then, and those that are left."""
    told: dict[str, Any] = {
        "written": written,
        "files": [{"set": one.seed_set, "file": one.name} for one in export.files],
        "edits": [_plain(one) for one in export.made],
        "left": [{**_plain(one), "reason": one.reason, "why": _why(one)} for one in export.left],
    }
    yield json.dumps(told, ensure_ascii=False, indent=2)


def _why(one: Told) -> str:
    return "settled" if one.settled else "said" if one.said else "left"


def _plain(one: Told) -> dict[str, Any]:
    row = msgspec.to_builtins(one.row)
    return {"table": one.table, "row": row, "id": one.id, "column": one.column or None}


def _named(one: Told) -> str:
    column = f" {shown(one.column)}" if one.column else ""
    return f"{shown(one.table)} {spoken(one.row, one.id)}{column}"
